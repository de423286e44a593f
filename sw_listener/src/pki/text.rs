//! How times, paths and foreign text look in what the user reads.

use std::path::Path;

use common::printable::drives;
pub(super) use common::printable::printable;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::names::CaId;

/// A time in UTC to the second, as in `2026-11-20T13:05:00Z`.
pub(super) fn stamp(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC).truncate_to_second();
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// Bytes as lowercase hexadecimal digits without separators.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The command that makes a CA in `dir`, to be pasted into a shell.
pub(super) fn init_command(dir: &Path) -> String {
    command("init", dir)
}

/// The command that makes a CA in `dir`: the root, or the one below it.
pub(super) fn ca_command(id: &CaId, dir: &Path) -> String {
    match id {
        CaId::Root => init_command(dir),
        CaId::Intermediate(_) => command(&format!("intermediate {id}"), dir),
    }
}

/// `sw_listener pki WHAT --dir DIR`, to be pasted into a shell.
pub(super) fn command(what: &str, dir: &Path) -> String {
    format!(
        "sw_listener pki {what} --dir {}",
        shell_word(&dir.display().to_string())
    )
}

/// JSON text as [`printable`] has it: such characters stand within strings alone, and have an escape there.
pub(super) fn printable_json(json: &str) -> String {
    let escape = |c: char| {
        if drives(c) && c != '\n' {
            format!("\\u{:04x}", u32::from(c))
        } else {
            c.to_string()
        }
    };
    json.chars().map(escape).collect()
}

/// `text` as one word of a POSIX shell.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(
            command("list", Path::new("a/b")),
            "sw_listener pki list --dir a/b"
        );
        assert_eq!(
            init_command(Path::new("it's here")),
            r"sw_listener pki init --dir 'it'\''s here'"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[2Jé"), "a\\u{1b}[2Jé");
        assert_eq!(printable("\u{202e}x\u{9b}"), "\\u{202e}x\\u{9b}");
        let json = serde_json::to_string("\u{1b}\u{9b}\u{202e}é").unwrap();
        let escaped = printable_json(&json);
        assert_eq!(escaped, r#""\u001b\u009b\u202eé""#);
        assert_eq!(
            serde_json::from_str::<String>(&escaped).unwrap(),
            "\u{1b}\u{9b}\u{202e}é"
        );
    }
}
