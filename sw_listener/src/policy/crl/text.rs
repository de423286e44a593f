//! Names as people read them.

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
