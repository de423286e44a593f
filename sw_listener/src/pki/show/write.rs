//! The answer as text: a heading for each section, and a line for each thing that it says.

use super::super::text::{printable, shell_word};
use super::parts::{
    Certificate, Entry, Part, PrivateKey, Request, RevocationList, Shown, Uid, Validity,
};

/// Lists can be long; JSON has all of them.
const ENTRIES: usize = 20;

type Lines = Vec<(&'static str, String)>;

/// The text, without a line end at its end.
pub(super) fn text(shown: &Shown) -> String {
    let count = shown.parts.len();
    let file = printable(&shown.file);
    let mut text = Vec::new();
    for (index, part) in shown.parts.iter().enumerate() {
        let place = if count > 1 {
            format!(" ({} of {count})", index + 1)
        } else {
            String::new()
        };
        let (heading, lines) = part_lines(part, &shown.file, index + 1 == count);
        text.push(format!("{file}: {heading}{place}"));
        text.extend(
            lines
                .iter()
                .map(|(name, value)| format!("  {name:<13} {value}").trim_end().to_owned()),
        );
    }
    if let Some(pair) = &shown.pair {
        let verdict = if pair.matches {
            "match"
        } else {
            "do NOT match"
        };
        let other = printable(&pair.file);
        text.push(match pair.file == shown.file {
            true => format!("the certificate and the key in {other} {verdict}"),
            false => format!("{file} and {other} {verdict}"),
        });
    }
    text.join("\n")
}

fn part_lines(part: &Part, file: &str, last: bool) -> (String, Lines) {
    match part {
        Part::Certificate(one) => {
            let kind = if one.ca {
                "certificate of a CA"
            } else {
                "certificate"
            };
            (kind.to_owned(), certificate(one, last))
        }
        Part::RevocationList(list) => ("revocation list".to_owned(), revocation_list(list)),
        Part::Request(one) => ("certificate request".to_owned(), request(one)),
        Part::PrivateKey(key) => ("private key".to_owned(), private_key(key, file)),
        Part::PublicKey { key, spki_pin } => {
            let lines = vec![("key", key.clone()), ("SPKI pin", spki_pin.clone())];
            ("public key".to_owned(), lines)
        }
        Part::EncryptedPrivateKey => {
            let way = format!(
                "openssl pkey -in {} -out NEW.key",
                shell_word(&printable(file))
            );
            let text = format!("the daemons cannot ask for its password; to decrypt it: {way}");
            ("encrypted private key".to_owned(), vec![("note", text)])
        }
        Part::Other { label } => (
            format!("PEM section {label}, which is not looked into"),
            Vec::new(),
        ),
        Part::Damaged { content, reason } => (
            format!("damaged: it should be {content}"),
            vec![("reason", reason.clone())],
        ),
    }
}

fn certificate(one: &Certificate, last: bool) -> Lines {
    let left = match one.validity {
        Validity::NotYet => "NOT VALID YET".to_owned(),
        Validity::Valid => format!("{} days left", one.days_left),
        Validity::Ended => "EXPIRED".to_owned(),
    };
    let signed = match (one.self_signed, one.signed_by_next, last) {
        (true, ..) => " (itself)",
        (false, true, _) => " (the next certificate)",
        (false, false, false) => " (NOT the next certificate)",
        (false, false, true) => "",
    };
    let mut lines = vec![
        ("subject", one.subject.clone()),
        ("issuer", format!("{}{signed}", one.issuer)),
        ("serial", one.serial.clone()),
        ("valid from", one.not_before.clone()),
        ("valid until", format!("{} ({left})", one.not_after)),
    ];
    if !one.ca {
        lines.insert(1, ("UID by cn", uid(&one.uid_by_cn)));
        lines.insert(2, ("UID by uid", uid(&one.uid_by_uid)));
    }
    if !one.names.is_empty() {
        lines.push(("names", one.names.join(", ")));
    }
    if let Some(length) = one.path_length {
        lines.push(("CAs below", format!("{length} levels at most")));
    }
    for (name, uses) in [
        ("key usage", &one.key_usage),
        ("for", &one.extended_key_usage),
    ] {
        if !uses.is_empty() {
            lines.push((name, printable(&uses.join(", "))));
        }
    }
    lines.push(("key", one.key.clone()));
    lines.push(("SHA-256", one.sha256.clone()));
    lines.push(("SPKI pin", one.spki_pin.clone()));
    lines
}

fn uid(uid: &Uid) -> String {
    match uid {
        Uid::Uid(uid) => uid.clone(),
        Uid::None(reason) => format!("none: {reason}"),
    }
}

fn revocation_list(list: &RevocationList) -> Lines {
    let state = match list.validity {
        Validity::NotYet => " (NOT YET: check the clock)",
        Validity::Valid => "",
        Validity::Ended => " (ENDED: a new one is due)",
    };
    let next = list.next_update.as_deref().unwrap_or("not said");
    let mut lines = vec![
        ("issuer", list.issuer.clone()),
        (
            "number",
            list.number.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        ("this update", list.this_update.clone()),
        ("next update", format!("{next}{state}")),
        ("entries", list.entries.len().to_string()),
    ];
    lines.extend(list.entries.iter().take(ENTRIES).map(entry));
    if let Some(more) = list
        .entries
        .len()
        .checked_sub(ENTRIES)
        .filter(|more| *more > 0)
    {
        lines.push(("", format!("and {more} more: --json shows all")));
    }
    lines
}

fn entry(entry: &Entry) -> (&'static str, String) {
    let reason = entry.reason.as_deref().unwrap_or("no reason given");
    ("", format!("{}  {}  {reason}", entry.serial, entry.revoked))
}

fn request(one: &Request) -> Lines {
    let mut lines = vec![("subject", one.subject.clone())];
    if !one.names.is_empty() {
        lines.push(("names", one.names.join(", ")));
    }
    lines.push(("key", one.key.clone()));
    lines.push(("SPKI pin", one.spki_pin.clone()));
    let signature = if one.signature_good {
        "good"
    } else {
        "WRONG, or of a kind that is not supported"
    };
    lines.push(("signature", signature.to_owned()));
    lines
}

fn private_key(key: &PrivateKey, file: &str) -> Lines {
    let unknown = "damaged, or of a kind that cannot be used here";
    let mut lines = vec![("key", key.key.clone().unwrap_or_else(|| unknown.to_owned()))];
    if let Some(pin) = &key.spki_pin {
        lines.push(("SPKI pin", pin.clone()));
    }
    if let Some(mode) = &key.readable_by_others {
        let file = shell_word(&printable(file));
        lines.push((
            "note",
            format!("others can read it (mode {mode}): chmod 600 {file}"),
        ));
    }
    lines
}
