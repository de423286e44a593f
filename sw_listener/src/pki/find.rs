//! Which certificates a user means by a UID, a name, a serial number or a file stem. Pure, apart from [`known`], which
//! collects what there is.

use super::cas::{self, Ca};
use super::error::StoreError;
use super::facts::{Facts, first_der};
use super::issued::Entry;
use super::names::Stem;
use super::store::{READ_LIMIT, Store, read_bounded};

/// What a word stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Certificates of that name, perhaps from different years.
    Named(Vec<Entry>),
    /// The one with that serial number.
    Numbered(Entry),
    /// Both, and not the same.
    Ambiguous,
    Nothing,
}

/// Whatever was issued here: the lines of the index, and the certificates in the folder that it does not know.
///
/// # Errors
///
/// The index or the folder cannot be read.
pub(super) fn known(store: &Store, cas: &[Ca]) -> Result<Vec<Entry>, StoreError> {
    let mut entries = store.issued()?;
    for entry in present(store, cas)? {
        if entries
            .iter()
            .all(|known| known.fingerprint != entry.fingerprint)
        {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The certificates in the folder that its CAs have issued. Files that cannot be read are left out: `list` shows them.
///
/// # Errors
///
/// The folder cannot be read.
pub(super) fn present(store: &Store, cas: &[Ca]) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for path in store.certificates()? {
        let file = path.file_name().and_then(|name| name.to_str());
        let der = read_bounded(&path, READ_LIMIT).and_then(|bytes| first_der(&bytes));
        let (Some(file), Ok(der)) = (file, der) else {
            continue;
        };
        if let (Some(ca), Ok(facts)) = (cas::issuer_of(cas, &der), Facts::from_der(&der)) {
            entries.push(Entry::new(&facts, ca.id.clone(), file));
        }
    }
    Ok(entries)
}

/// What `word` stands for among `entries`.
pub(super) fn find(entries: &[Entry], word: &str) -> Found {
    let named: Vec<_> = entries
        .iter()
        .filter(|entry| is_called(entry, word))
        .collect();
    let number = number(word);
    let numbered = entries.iter().find(|entry| {
        number
            .as_deref()
            .is_some_and(|digits| digits == bare(&entry.serial))
    });
    match (named.as_slice(), numbered) {
        ([], None) => Found::Nothing,
        ([], Some(entry)) => Found::Numbered(entry.clone()),
        (_, Some(entry)) if !named.contains(&entry) => Found::Ambiguous,
        (_, _) => Found::Named(named.into_iter().cloned().collect()),
    }
}

/// At most three names that differ from `word` by little.
pub(super) fn near(entries: &[Entry], word: &str) -> Vec<String> {
    let limit = (word.chars().count() / 3).max(2);
    let mut near: Vec<_> = entries
        .iter()
        .flat_map(names)
        .map(|name| (strsim::damerau_levenshtein(word, &name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Whether `word` is its name, one of several, or the stem or the label of its files.
fn is_called(entry: &Entry, word: &str) -> bool {
    let stem = Stem::of_certificate(&entry.file);
    let stem = stem.as_ref().map_or("", Stem::as_str);
    let label = match entry.kind == "ca" {
        true => stem.strip_prefix("ca-"),
        false => None,
    };
    entry.name == word
        || stem == word
        || label == Some(word)
        || names(entry).any(|name| name == word)
}

fn names(entry: &Entry) -> impl Iterator<Item = String> {
    entry.name.split(',').map(str::to_owned)
}

/// A serial number as tools print it: with colons or not, `0x` or not, capitals or not.
fn number(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase().replace(':', "");
    let digits = bare(word.strip_prefix("0x").unwrap_or(&word));
    let hexadecimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| digits.to_owned())
}

fn bare(digits: &str) -> &str {
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::pki::names::CaId;

    fn entry(kind: &str, name: &str, serial: &str, file: &str) -> Entry {
        Entry {
            kind: kind.to_owned(),
            name: name.to_owned(),
            serial: serial.to_owned(),
            not_after: OffsetDateTime::UNIX_EPOCH,
            fingerprint: serial.to_owned(),
            file: file.to_owned(),
            issuer: CaId::Root,
        }
    }

    fn site() -> Vec<Entry> {
        vec![
            entry("ca", "Plant 1", "0c", "ca-plant.crt"),
            entry("server", "tunnel.example,10.0.0.1", "4a01", "server.crt"),
            entry("client", "device-1", "4a02", "client-device-1.crt"),
            entry("client", "device-1", "4a03", "client-device-1.crt"),
            entry("client", "4a02", "4a04", "client-4a02.crt"),
        ]
    }

    fn serials(word: &str) -> Vec<String> {
        match find(&site(), word) {
            Found::Named(entries) => entries.into_iter().map(|entry| entry.serial).collect(),
            Found::Numbered(entry) => vec![entry.serial],
            Found::Ambiguous => vec!["ambiguous".to_owned()],
            Found::Nothing => Vec::new(),
        }
    }

    #[test]
    fn words_stand_for_names_numbers_and_stems() {
        for (word, expected) in [
            ("device-1", &["4a02", "4a03"][..]),
            ("client-device-1", &["4a02", "4a03"]),
            ("10.0.0.1", &["4a01"]),
            ("tunnel.example", &["4a01"]),
            ("server", &["4a01"]),
            ("plant", &["0c"]),
            ("Plant 1", &["0c"]),
            ("4A:03", &["4a03"]),
            ("0x004a03", &["4a03"]),
            ("4a02", &["ambiguous"]),
            ("device", &[]),
            ("", &[]),
            ("0", &[]),
        ] {
            assert_eq!(serials(word), expected, "{word:?}");
        }
    }

    #[test]
    fn names_like_it_are_offered_once() {
        assert_eq!(near(&site(), "devise-1"), ["device-1"]);
        assert_eq!(near(&site(), "tunel.example"), ["tunnel.example"]);
        assert!(near(&site(), "something else").is_empty());
    }
}
