use std::{
    fs,
    time::{Duration, SystemTime},
};

use super::*;
use crate::tls::testing::{Place, client, intermediate, mode, pem_block, root, server};

mod dates;

fn demands(role: Role, tls: &TlsPolicy) -> Demands<'_> {
    Demands {
        role,
        occasion: Occasion::Check,
        names: &[],
        tls,
    }
}

fn load(files: &CertificateFiles) -> Result<Loaded, String> {
    let tls = TlsPolicy::default();
    files
        .load(&demands(Role::Listener, &tls), SystemTime::now())
        .map_err(|errors| errors.to_string())
}

/// A folder with a good `ca.crt`, `server.crt` and `server.key`.
fn place() -> Place {
    let (place, ca) = (Place::new(), root("Plant CA"));
    let leaf = server(&ca);
    place.write("ca.crt", ca.pem());
    place.write("server.crt", &leaf.pem);
    place.write("server.key", leaf.key.serialize_pem());
    place
}

/// What openssl makes, from a key of its own and a certificate of its own.
fn openssl() -> Place {
    let place = Place::new();
    place.write(
        "v3.cnf",
        "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n",
    );
    for words in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=openssl-ca -days 9",
        "genrsa -out rsa.key 2048",
        "req -new -key rsa.key -out server.csr -subj /CN=plant",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 9 -extfile v3.cnf -out server.crt",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial 8 -days 9 -out v1.crt",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial 9 -days 9 -extfile v3.cnf -sha1 -out sha1.crt",
        "x509 -in server.crt -trustout -addtrust serverAuth -out trusted.crt",
        "x509 -in server.crt -outform DER -out server.der",
        "pkey -in rsa.key -pubout -out public.pem",
        "pkey -in rsa.key -pubout -outform DER -out public.der",
        "pkey -in rsa.key -aes128 -passout pass:x -out encrypted.key",
        "pkcs8 -topk8 -in rsa.key -v2 aes128 -passout pass:x -outform DER -out encrypted.der",
        "rsa -in rsa.key -aes128 -passout pass:x -traditional -out legacy.key",
        "rsa -in rsa.key -traditional -out pkcs1.key",
        "rsa -in rsa.key -traditional -outform DER -out pkcs1.der",
        "pkcs8 -topk8 -nocrypt -in rsa.key -outform DER -out pkcs8.der",
        "pkcs12 -export -in server.crt -inkey rsa.key -passout pass:x -out server.p12",
        "crl2pkcs7 -nocrl -certfile server.crt -out server.p7b",
        "crl2pkcs7 -nocrl -certfile server.crt -outform DER -out server.p7b.der",
        "req -in server.csr -outform DER -out csr.der",
        "dhparam -dsaparam -out dh.pem 512",
        "ecparam -name secp384r1 -genkey -out ec.key",
        "ec -in ec.key -outform DER -out sec1.der",
        "genpkey -algorithm ed25519 -out ed25519.key",
        "genpkey -algorithm ed448 -out ed448.key",
        "genrsa -out small.key 1024",
        "req -x509 -key small.key -out small.crt -subj /CN=small -addext subjectAltName=DNS:localhost -days 9",
    ] {
        place.openssl(words);
    }
    place
}

#[test]
fn keys_and_certificates_are_taken_in_every_form() {
    let place = openssl();
    for chain in ["server.crt", "server.der"] {
        for key in ["rsa.key", "pkcs1.key", "pkcs1.der", "pkcs8.der"] {
            let loaded = load(&place.files(chain, key, "ca.crt"));
            let loaded = loaded.unwrap_or_else(|error| panic!("{chain} {key}: {error}"));
            assert_eq!(loaded.chain_facts[0].name(), "plant");
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        }
    }
    for key in ["ec.key", "sec1.der", "ed25519.key"] {
        let error = load(&place.files("server.crt", key, "ca.crt")).unwrap_err();
        assert!(error.contains("does not belong to"), "{key}: {error}");
        place.openssl(&format!(
            "req -x509 -key {key} {} -out own.crt -subj /CN=own -addext subjectAltName=DNS:localhost -addext \
             basicConstraints=critical,CA:FALSE -days 9",
            if key.ends_with("der") { "-keyform DER" } else { "" }
        ));
        load(&place.files("own.crt", key, "ca.crt"))
            .unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[test]
fn revocation_lists_are_known_in_both_forms() {
    let place = openssl();
    place.write("index.txt", "");
    place.write(
        "ca.cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=9\n",
    );
    place.openssl("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out ca.crl");
    place.openssl("crl -in ca.crl -outform DER -out ca.crl.der");
    let error = load(&place.files("ca.crl", "rsa.key", "ca.crl.der")).unwrap_err();
    assert_eq!(
        error
            .matches("no certificate, but a revocation list")
            .count(),
        2,
        "{error}"
    );
}

/// Every file that people put in the place of a certificate.
#[test]
fn what_is_no_certificate_is_named_with_the_way_out() {
    let place = openssl();
    let damaged = String::from_utf8(place.read("server.crt")).unwrap();
    let damaged = damaged.replacen("MII", "M!I", 1);
    place.write("damaged.crt", damaged);
    place.write("empty.crt", "");
    place.write(
        "trailing.der",
        [place.read("server.der"), vec![0; 5]].concat(),
    );
    let doubled = [place.read("server.der"), vec![0; 3]].concat();
    place.write("trailing.crt", pem_block("CERTIFICATE", &doubled));
    place.write("nonsense.crt", pem_block("CERTIFICATE", &[0; 3]));
    place.write("large.crt", vec![b'\n'; (MAX_FILE + 1) as usize]);
    fs::create_dir(place.path("folder.crt")).unwrap();
    for (name, parts) in [
        ("missing.crt", ["cannot read", "No such file"]),
        ("folder.crt", ["is a folder", "name the file itself"]),
        ("large.crt", ["larger than", "no certificate"]),
        ("empty.crt", ["but nothing", "the file is empty"]),
        (
            "server.csr",
            [
                "signing request",
                "send it to the CA, and put the certificate that comes back here",
            ],
        ),
        ("csr.der", ["signing request", "send it to the CA"]),
        ("rsa.key", ["a private key", "settings exchanged"]),
        ("pkcs1.der", ["a private key", "settings exchanged"]),
        ("public.pem", ["a public key", "what a CA makes of it"]),
        ("public.der", ["a public key", "what a CA makes of it"]),
        (
            "encrypted.key",
            ["no certificate", "an encrypted private key"],
        ),
        ("server.p12", ["PKCS#12", "openssl pkcs12 -in"]),
        ("server.p7b", ["PKCS#7", "openssl pkcs7 -in"]),
        ("server.p7b.der", ["PKCS#7", "-inform DER"]),
        ("trusted.crt", ["TRUSTED CERTIFICATE", "openssl x509 -in"]),
        ("dh.pem", ["Diffie-Hellman", "does not use"]),
        ("damaged.crt", ["line 2", "'!' does not belong into base64"]),
        (
            "trailing.crt",
            ["certificate 1", "3 bytes that do not belong to it"],
        ),
        (
            "trailing.der",
            ["certificate 1", "5 bytes that do not belong to it"],
        ),
        (
            "nonsense.crt",
            ["certificate 1", "not an X.509 certificate"],
        ),
        ("v3.cnf", ["no certificate", "text without any PEM block"]),
    ] {
        for (chain, ca) in [(name, "ca.crt"), ("server.crt", name)] {
            let error = load(&place.files(chain, "rsa.key", ca)).unwrap_err();
            for part in [name, parts[0], parts[1]] {
                assert!(error.contains(part), "{name}: {part:?} is not in: {error}");
            }
        }
    }
}

/// Every file that people put in the place of a key.
#[test]
fn what_is_no_key_is_named_with_the_way_out() {
    let place = openssl();
    place.write("empty.key", "\n");
    place.write("params.key", &{
        let text = String::from_utf8(place.read("ec.key")).unwrap();
        let end = text.find("-----BEGIN EC PRIVATE").unwrap();
        text[..end].to_owned()
    });
    place.write(
        "nonsense.key",
        pem_block("PRIVATE KEY", &[0x30, 3, 2, 1, 0]),
    );
    place.write("ssh.key", pem_block("OPENSSH PRIVATE KEY", b"x"));
    for (name, parts) in [
        ("missing.key", ["cannot read", "No such file"]),
        ("empty.key", ["but nothing", "the file is empty"]),
        (
            "server.crt",
            ["but a certificate", "name the file with its private key"],
        ),
        (
            "server.der",
            ["but a certificate", "name the file with its private key"],
        ),
        (
            "server.csr",
            ["a certificate signing request", "no private key"],
        ),
        ("public.pem", ["a public key", "made together with it"]),
        (
            "encrypted.key",
            ["an encrypted private key", "openssl pkey -in"],
        ),
        (
            "encrypted.der",
            ["an encrypted private key", "openssl pkey -in"],
        ),
        ("legacy.key", ["an encrypted private key", "-out NEW_FILE"]),
        ("server.p12", ["PKCS#12", "-nocerts -nodes"]),
        (
            "params.key",
            ["parameters of an elliptic curve", "key itself is missing"],
        ),
        ("ssh.key", ["OpenSSH", "ssh-keygen"]),
        (
            "nonsense.key",
            ["the private key cannot be used", "damaged"],
        ),
        ("ed448.key", ["the private key cannot be used", "Ed25519"]),
    ] {
        let error = load(&place.files("server.crt", name, "ca.crt")).unwrap_err();
        for part in [name, parts[0], parts[1]] {
            assert!(error.contains(part), "{name}: {part:?} is not in: {error}");
        }
    }
}

#[test]
fn certificates_that_nobody_accepts_are_refused() {
    let place = openssl();
    for (chain, key, part) in [
        (
            "v1.crt",
            "rsa.key",
            "X.509 version 1; sign it with extensions",
        ),
        ("sha1.crt", "rsa.key", "signed with SHA-1"),
        ("small.crt", "small.key", "RSA key of 1024 bits"),
        ("ca.crt", "ca.key", "is a CA certificate (CA:TRUE)"),
    ] {
        let error = load(&place.files(chain, key, "ca.crt")).unwrap_err();
        assert!(error.contains(part), "{chain}: {error}");
    }
}

/// 1.x's users made their CAs without extensions; those go on working.
#[test]
fn a_ca_of_version_1_is_taken() {
    let place = place();
    place.openssl("genrsa -out old.key 2048");
    place.openssl("req -new -key old.key -out old.csr -subj /CN=old");
    place.openssl("x509 -req -in old.csr -signkey old.key -days 9 -out old.crt");
    let loaded = load(&place.files("server.crt", "server.key", "old.crt")).unwrap();
    assert_eq!(loaded.ca_facts[0].version, 1);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn everything_that_is_wrong_comes_at_once() {
    let (place, ca) = (place(), root("other"));
    let error = load(&place.files("a.crt", "a.key", "a.ca")).unwrap_err();
    for name in ["a.crt", "a.key", "a.ca"] {
        assert!(error.contains(name), "{error}");
    }
    // A file that cannot be read does not hide what is wrong with the others.
    place.write("client.crt", client(&ca).pem);
    let error = load(&place.files("client.crt", "server.key", "a.ca")).unwrap_err();
    for part in [
        "a.ca",
        "does not belong to",
        "lacks serverAuth",
        "no subject alternative name",
    ] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn a_chain_with_its_key_in_one_file_works() {
    let place = place();
    let both = [place.read("server.key"), place.read("server.crt")].concat();
    place.write("both.pem", &both);
    let loaded = load(&place.files("both.pem", "both.pem", "ca.crt")).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    // Elsewhere a key is one too many.
    let loaded = load(&place.files("both.pem", "server.key", "ca.crt")).unwrap();
    let [warning] = loaded.warnings.as_slice() else {
        panic!("{:?}", loaded.warnings);
    };
    assert!(
        warning.to_string().contains("holds a private key"),
        "{warning}"
    );
}

#[test]
fn of_several_keys_the_one_of_the_leaf_is_taken() {
    let place = place();
    let other = client(&root("x")).key.serialize_pem().into_bytes();
    place.write("keys.pem", [other, place.read("server.key")].concat());
    load(&place.files("server.crt", "keys.pem", "ca.crt")).unwrap();
}

#[test]
fn bundles_hold_every_certificate() {
    let (place, ca) = (place(), root("Old CA"));
    let between = intermediate("Between", &ca);
    let leaf = server(&between);
    place.write("chain.crt", format!("{}\n{}", leaf.pem, between.pem()));
    place.write("leaf.key", leaf.key.serialize_pem());
    let bundle = [place.read("ca.crt"), b"\nnoise\n".to_vec(), ca.pem().into()].concat();
    place.write("cas.crt", bundle);
    let loaded = load(&place.files("chain.crt", "leaf.key", "cas.crt")).unwrap();
    assert_eq!(loaded.credentials.chain.len(), 2);
    assert_eq!((loaded.ca.len(), loaded.ca_facts.len()), (2, 2));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let place = place();
    let mut files = place.files("server.crt", "server.key", "ca.crt");
    mode(&files.key, 0o640);
    let error = load(&files).unwrap_err();
    let advice = format!("mode 0640): chmod 600 {}", files.key.display());
    assert!(error.contains(&advice), "{error}");
    files.permissions = KeyPermissions::AllowInsecure;
    load(&files).unwrap();
}

#[test]
fn a_folder_that_everybody_can_write_to_is_told() {
    let place = place();
    let mut files = place.files("server.crt", "server.key", "ca.crt");
    mode(&place.path(""), 0o777);
    let warnings = load(&files).unwrap().warnings;
    assert!(warnings[0].what.contains("chmod o-w"), "{warnings:?}");
    files.permissions = KeyPermissions::AllowInsecure;
    assert!(load(&files).unwrap().warnings.is_empty());
    mode(&place.path(""), 0o1777);
    assert!(load(&files).unwrap().warnings.is_empty());
}
