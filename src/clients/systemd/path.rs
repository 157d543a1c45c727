//! The object path of a unit, and back: every byte of its name but letters and digits becomes `_` and two hex
//! digits, as does a digit that comes first (sd_bus_path_encode(3)).

/// Below it stand all units.
const UNITS: &str = "/org/freedesktop/systemd1/unit/";

/// The object path of a unit.
pub(super) fn of_unit(name: &str) -> String {
    let mut path = String::from(UNITS);
    for (place, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (byte.is_ascii_digit() && place > 0) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The unit of an object path, if it is one of a unit.
pub(super) fn unit_of(path: &str) -> Option<String> {
    let mut escaped = path.strip_prefix(UNITS)?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = escaped.next() {
        match byte {
            b'_' => {
                let digit = |it: Option<u8>| char::from(it?).to_digit(16);
                let (high, low) = (digit(escaped.next())?, digit(escaped.next())?);
                name.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => name.push(byte),
        }
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_of_a_unit_is_the_one_that_systemd_gives() {
        for (name, path) in [
            ("worker@1.service", "/org/freedesktop/systemd1/unit/worker_401_2eservice"),
            ("-.slice", "/org/freedesktop/systemd1/unit/_2d_2eslice"),
            ("9p.service", "/org/freedesktop/systemd1/unit/_39p_2eservice"),
            ("a\\x2db.scope", "/org/freedesktop/systemd1/unit/a_5cx2db_2escope"),
        ] {
            assert_eq!(of_unit(name), path);
        }
    }

    #[test]
    fn what_is_no_path_of_a_unit_has_none() {
        for path in ["/org/freedesktop/systemd1", "/org/freedesktop/systemd1/unit/a_2", "/x", ""] {
            assert_eq!(unit_of(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives_its_path(name in "\\PC{1,40}") {
            prop_assert_eq!(unit_of(&of_unit(&name)), Some(name));
        }
    }
}
