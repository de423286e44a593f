//! Names and times as people read them.

use std::time::SystemTime;

use time::{OffsetDateTime, macros::format_description};
use x509_parser::{prelude::FromDer, x509::X509Name};

/// Longest name that is shown, in characters.
const LONGEST: usize = 128;

/// The CN of a `Name` (DER), or all of it; control characters escaped.
pub(super) fn name(der: &[u8]) -> String {
    let Ok((_, name)) = X509Name::from_der(der) else {
        return "a CA without a readable name".to_owned();
    };
    let common = name.iter_common_name().last();
    let text = match common.and_then(|attribute| attribute.as_str().ok()) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => name.to_string(),
    };
    let shown: String = text.chars().take(LONGEST).collect();
    shown.escape_debug().to_string()
}

/// The day, UTC: `2026-11-02`.
pub(super) fn day(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]");
    let time = OffsetDateTime::from(time);
    time.format(format).unwrap_or_else(|_| time.to_string())
}

/// The minute, UTC: `2026-11-02 13:05 UTC`.
pub(super) fn minute(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let time = OffsetDateTime::from(time);
    time.format(format).unwrap_or_else(|_| time.to_string())
}
