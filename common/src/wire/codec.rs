//! Frames: `u16` big-endian length, then that many bytes of UTF-8 JSON.
//!
//! ```text
//! 00 1b  7b 22 74 79 70 65 22 3a 22 70 69 6e 67 22 …
//! length {  "  t  y  p  e  "  :  "  p  i  n  g  "
//! ```

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Longest body of a frame, in bytes.
pub const MAX_BODY: usize = 8 * 1024;
/// Bytes of the length in front of the body.
pub const PREFIX: usize = 2;

/// Why bytes are not a frame, or a value does not fit into one.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The length is 0 or above [`MAX_BODY`].
    #[error("a frame has 1 to {MAX_BODY} bytes, not {0}")]
    Length(usize),
    /// The body is not the expected JSON.
    #[error("a frame of {length} bytes is not understood: {}", .source.to_string().escape_debug())]
    Body {
        /// Bytes of the body.
        length: usize,
        /// What the JSON parser says. It may repeat text of the peer, hence the escaping.
        source: serde_json::Error,
    },
}

/// The length of the body that follows this prefix.
///
/// # Errors
/// [`FrameError::Length`] for 0 and for more than [`MAX_BODY`].
pub fn body_length(prefix: [u8; PREFIX]) -> Result<usize, FrameError> {
    let length = usize::from(u16::from_be_bytes(prefix));
    if length == 0 || length > MAX_BODY {
        return Err(FrameError::Length(length));
    }
    Ok(length)
}

/// The whole frame, prefix and body.
///
/// # Errors
/// [`FrameError::Length`] when the JSON is longer than [`MAX_BODY`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; PREFIX];
    serde_json::to_writer(&mut frame, message)
        .map_err(|source| FrameError::Body { length: 0, source })?;
    let length = frame.len() - PREFIX;
    let prefix = u16::try_from(length)
        .ok()
        .filter(|_| length <= MAX_BODY)
        .ok_or(FrameError::Length(length))?;
    frame[..PREFIX].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// The message in a body. Unknown fields are ignored; an unknown `type` is an error.
///
/// # Errors
/// [`FrameError::Body`] when it is not that message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|source| FrameError::Body {
        length: body.len(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        control::Message,
        open::{Answer, Open},
    };

    #[test]
    fn a_ping_has_these_bytes() {
        let frame = encode(&Message::Ping { nonce: 7 }).unwrap();
        assert_eq!(frame, b"\x00\x19{\"type\":\"ping\",\"nonce\":7}");
        let length = body_length([frame[0], frame[1]]).unwrap();
        assert_eq!(length, frame.len() - PREFIX);
        let message: Message = decode(&frame[PREFIX..]).unwrap();
        assert_eq!(message, Message::Ping { nonce: 7 });
    }

    #[test]
    fn unknown_fields_pass_and_unknown_types_do_not() {
        let more = br#"{"type":"ping","nonce":7,"colour":"red"}"#;
        assert!(decode::<Message>(more).is_ok());
        assert!(decode::<Message>(br#"{"type":"dance"}"#).is_err());
    }

    #[test]
    fn an_error_cannot_forge_a_line_of_the_log() {
        let text = "{\"type\":\"\\nERROR all is lost\"}";
        let error = decode::<Message>(text.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn lengths_are_bounded_both_ways() {
        assert!(body_length([0, 0]).is_err());
        assert!(body_length([0xff, 0xff]).is_err());
        assert_eq!(body_length([0x20, 0x00]).unwrap(), MAX_BODY);
        let long = Message::Goaway {
            reason: "x".repeat(MAX_BODY),
            reconnect_after_ms: 0,
        };
        assert!(matches!(encode(&long), Err(FrameError::Length(_))));
    }

    #[test]
    fn damaged_bytes_are_errors_never_panics() {
        let frame = encode(&Message::Ping { nonce: 7 }).unwrap();
        for i in PREFIX..frame.len() {
            for byte in 0..=255 {
                let mut body = frame[PREFIX..].to_vec();
                body[i - PREFIX] = byte;
                let _ = decode::<Message>(&body);
                let _ = decode::<Open>(&body);
                let _ = decode::<Answer>(&body);
                let _ = decode::<Message>(&body[..i - PREFIX]);
            }
        }
    }
}
