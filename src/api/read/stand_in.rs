//! What stands in for a value that is missing or wrong, so that the rest of a document can still be read.
//!
//! It gives whatever is asked for: no option, an empty list, the first variant. Only text must
//! often have a form; for that there are several attempts.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::deserialize::{At, Origin, Refusal};

/// Texts of the forms that our types have: a length of time, a share, an amount of memory, a name.
const TEXTS: [&str; 4] = ["1s", "1%", "1B", "a"];
/// How often it may be tried before what contains it is given up.
pub(super) const ATTEMPTS: usize = TEXTS.len();

/// Any value.
#[derive(Debug, Clone, Copy)]
pub(super) struct StandIn {
    pub origin: Origin,
    pub attempt: usize,
}

impl StandIn {
    /// What `seed` makes of it.
    pub fn give<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        self.here(seed.deserialize(self))
    }

    fn here<T>(self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        result.map_err(|refusal| Refusal { at: Some(At::StandIn(self.origin)), ..refusal })
    }
}

macro_rules! ones {
    ($($method:ident $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.here(visitor.$visit(1 as _))
        }
    )*};
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = Refusal;

    ones! {
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_f32 visit_f32,
        deserialize_f64 visit_f64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_bool(false))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_str(TEXTS[self.attempt.min(ATTEMPTS - 1)]))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_none())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let empty = std::iter::empty::<&'static str>();
        self.here(visitor.visit_seq(de::value::SeqDeserializer::<_, Refusal>::new(empty)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_map(All { of: self, fields: [].iter() }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_map(All { of: self, fields: fields.iter() }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.here(
            visitor.visit_enum(First { of: self, variant: variants.first().copied().unwrap_or_default() }),
        )
    }

    serde::forward_to_deserialize_any! {
        char string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// All fields of a structure, each with a stand-in.
struct All {
    of: StandIn,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> de::MapAccess<'de> for All {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let key = self.fields.next();
        key.map(|key| seed.deserialize((*key).into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        self.of.give(seed)
    }
}

/// The first variant of an enum.
struct First {
    of: StandIn,
    variant: &'static str,
}

impl<'de> de::EnumAccess<'de> for First {
    type Error = Refusal;
    type Variant = StandIn;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, StandIn), Refusal> {
        let name: StrDeserializer<'_, Refusal> = self.variant.into_deserializer();
        seed.deserialize(name).map(|value| (value, self.of))
    }
}

impl<'de> de::VariantAccess<'de> for StandIn {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        self.give(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_struct("", fields, visitor)
    }
}
