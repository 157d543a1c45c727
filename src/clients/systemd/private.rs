//! A manager's private socket as a transport of zbus.
//!
//! Without a bus, systemd signs its messages with its well-known name. zbus takes only unique names there, and panics
//! at the first message. So the name is made to look like one on the way in: one of the same length, by which nothing
//! else in the message moves. Nobody looks at it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use futures::future::{BoxFuture, FutureExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use zbus::connection::socket::{BoxedSplit, ReadHalf};

/// The name that systemd signs with.
#[cfg(test)]
const SIGNED: &[u8; LENGTH] = b"org.freedesktop.systemd1";
/// What is read in its place.
const UNIQUE: &[u8; LENGTH] = b":org.freedesktop.systemd";
/// How long both are.
const LENGTH: usize = 24;
/// How the field begins that says who sent a message: its code, its type (`s`), and the length of the name.
const FIELD: [u8; 8] = {
    let length = (LENGTH as u32).to_ne_bytes();
    [7, 1, b's', 0, length[0], length[1], length[2], length[3]]
};

/// Connects to the socket.
pub(super) async fn connect(socket: &Path) -> io::Result<BoxedSplit> {
    let (read, write) = UnixStream::connect(socket).await?.into_split();
    let incoming = Incoming { socket: read, signature: Signature::default() };
    Ok(BoxedSplit::new(Box::new(incoming), Box::new(write)))
}

/// What comes from the manager.
#[derive(Debug)]
struct Incoming {
    socket: OwnedReadHalf,
    signature: Signature,
}

type Received = io::Result<(usize, Vec<OwnedFd>)>;

impl ReadHalf for Incoming {
    // As `async_trait` writes it.
    fn recvmsg<'a, 'b, 'c>(&'a mut self, buffer: &'b mut [u8]) -> BoxFuture<'c, Received>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        async move {
            let received = self.socket.recvmsg(buffer).await?;
            self.signature.disguise(&mut buffer[..received.0]);
            Ok(received)
        }
        .boxed()
    }
}

/// How much of a signature has come so far: a message may come in pieces.
#[derive(Debug, Default)]
struct Signature {
    seen: usize,
}

impl Signature {
    fn disguise(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            match self.seen.checked_sub(FIELD.len()) {
                Some(place) => {
                    *byte = UNIQUE[place];
                    self.seen = if place + 1 == LENGTH { 0 } else { self.seen + 1 };
                }
                None if *byte == FIELD[self.seen] => self.seen += 1,
                None => self.seen = usize::from(*byte == FIELD[0]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(name: &[u8]) -> Vec<u8> {
        [b"l\x02\x01\x01 and so on \x07\x01", &FIELD[..], name, b"\0 and the body"].concat()
    }

    proptest! {
        #[test]
        fn the_signature_is_found_in_whatever_pieces_a_message_comes(cuts in proptest::collection::vec(0..60_usize, 0..5)) {
            let mut bytes = [message(SIGNED), message(SIGNED)].concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|it| it * bytes.len() / 60).collect();
            cuts.sort_unstable();
            let mut signature = Signature::default();
            let mut rest = &mut bytes[..];
            let mut done = 0;
            for cut in cuts {
                let (piece, after) = rest.split_at_mut(cut - done);
                signature.disguise(piece);
                (rest, done) = (after, cut);
            }
            signature.disguise(rest);
            prop_assert_eq!(bytes, [message(UNIQUE), message(UNIQUE)].concat());
        }
    }

    #[test]
    fn a_message_without_a_signature_stays_as_it_is() {
        let mut bytes = b"l\x02\x01\x01 no \x07\x01s but this \x07\x01s\0 length".to_vec();
        let before = bytes.clone();
        Signature::default().disguise(&mut bytes);
        assert_eq!(bytes, before);
    }
}
