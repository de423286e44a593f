//! The table of settings that `--help` shows. A test holds it against what the reader takes.

use common::config::Key;

pub(super) const KEYS: &[Key] = &[
    (
        "cert_path",
        "required",
        "the listener's certificate chain, PEM, leaf first",
    ),
    (
        "key_path",
        "required",
        "its private key, PEM, readable by the owner only",
    ),
    ("ca_path", "required", "CA certificates for connectors, PEM"),
    (
        "server_names",
        "none",
        "list of names that connectors use: checked at start against cert_path",
    ),
    ("addrs", "0.0.0.0", "address for connectors (UDP)"),
    ("port", "11443", "port for connectors (UDP)"),
    (
        "apis_addrs",
        "127.0.0.1",
        "address of the HTTP API (variable APIS_ADDRS)",
    ),
    (
        "apis_port",
        "8080",
        "port of the HTTP API (variable APIS_PORT)",
    ),
    (
        "api_tokens",
        "none",
        "list of NAME:ROLE:SHA256, ROLE read or write; then every call needs one",
    ),
    (
        "api_hosts",
        "none",
        "list of names by which the API may be called besides its address",
    ),
    (
        "scep_url",
        "none",
        "verify address of the SCEP server; every certificate is checked there",
    ),
    (
        "scep_ca_path",
        "the system's",
        "CAs of an https SCEP server, PEM",
    ),
    (
        "recheck_seconds",
        "40",
        "longest time between two checks of the certificate of a live session",
    ),
    (
        "verify_grace_seconds",
        "900",
        "how long a live session goes on while a check cannot be made",
    ),
    (
        "crl_paths",
        "none",
        "list of CRL files, DER or PEM; then every certificate is looked up",
    ),
    (
        "crl_urls",
        "none",
        "list of http(s) addresses of CRLs; then every certificate is looked up",
    ),
    (
        "crl_refresh_seconds",
        "45",
        "longest time between two fetches of a CRL",
    ),
    (
        "crl_scope",
        "chain",
        "what is looked up: the leaf, or the whole chain below the CA",
    ),
    (
        "allow",
        "everyone",
        "list of UIDs (with * and ?), sha256:HEX or serial:HEX; others are refused",
    ),
    (
        "allow_list_path",
        "none",
        "file with more of them, one per line; empty: nobody",
    ),
    (
        "deny",
        "none",
        "list, as allow, of whom to refuse; it wins over allow",
    ),
    ("deny_list_path", "none", "file with more of them"),
    (
        "ocsp",
        "off",
        "certificates whose revocation is asked of OCSP responders: off, leaf or chain",
    ),
    (
        "ocsp_url",
        "none",
        "the responder to ask; otherwise those that a certificate names",
    ),
    (
        "ocsp_nonce",
        "auto",
        "auto (ask with a nonce; without it in the answer, take only a recent one), require or off",
    ),
    (
        "ocsp_cert_id_hash",
        "sha1",
        "hash by which a certificate is named to the responder: sha1 or sha256",
    ),
    (
        "ocsp_max_age_seconds",
        "3600",
        "longest time that an OCSP answer counts",
    ),
    (
        "ocsp_refresh_seconds",
        "60",
        "age from which a new session asks again, though the answer still counts",
    ),
    (
        "uid_source",
        "cn",
        "where the UID stands in the certificate: cn or uid",
    ),
    (
        "duplicate_uid",
        "refuse",
        "a second session of a live UID: refuse it, or replace the first",
    ),
    (
        "expiry_warning_days",
        "30",
        "how many days before its end a certificate is warned of, the connectors' included",
    ),
    (
        "legacy_protocol",
        "true",
        "serve connectors of socket-warp 1.x",
    ),
    (
        "state_dir",
        "none",
        "folder in which openings are kept over restarts",
    ),
    (
        "drain_timeout_seconds",
        "30",
        "how long streams may go on after SIGTERM",
    ),
    ("keep_alive_seconds", "10", "silence before a PING"),
    (
        "idle_timeout_seconds",
        "20",
        "time without an answer before a session is dead",
    ),
    (
        "handshake_limit",
        "100",
        "handshakes in flight before addresses are validated (Retry)",
    ),
    (
        "handshake_deadline_seconds",
        "5",
        "time limit of a handshake",
    ),
    ("max_sessions", "10000", "sessions in all"),
    (
        "max_openings_per_uid",
        "1000",
        "openings that one UID may hold",
    ),
    (
        "max_streams_per_uid",
        "10000",
        "clients of one UID at the same time; more are reset",
    ),
    (
        "max_streams",
        "50000",
        "clients in all; at most what the limit of open files leaves",
    ),
    (
        "stream_window_bytes",
        "33554432",
        "how far a sender may ever run ahead of one stream's reader",
    ),
    (
        "session_window_bytes",
        "4294967296",
        "the same for all streams of a session together",
    ),
    (
        "congestion_control",
        "model",
        "model (tolerates loss), cubic, or a rate such as 50Mbit/s for paths of 5 ms and more",
    ),
    (
        "max_udp_payload_bytes",
        "8952",
        "longest UDP payload: path MTU discovery tries up to it",
    ),
    (
        "udp_segmentation_offload",
        "true",
        "give the kernel many datagrams at once (GSO)",
    ),
    (
        "udp_buffer_bytes",
        "8388608",
        "UDP socket buffers asked for",
    ),
    ("threads", "processors", "threads of the data plane"),
    (
        "tls_cipher_suites",
        "all",
        "list of TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, best first",
    ),
    (
        "tls_groups",
        "X25519MLKEM768, ...",
        "list of groups for the key exchange, best first: X25519MLKEM768, X25519, SECP256R1, SECP384R1",
    ),
    (
        "min_rsa_bits",
        "2048",
        "smallest RSA key, in our certificates and in the other side's",
    ),
    (
        "allow_insecure_key_permissions",
        "false",
        "take a private key that others can read, or that is another user's",
    ),
    (
        "log_level",
        "info",
        "error, warn, info, debug, trace, or tracing directives",
    ),
    ("log_format", "text", "text or json"),
];

/// The table as text.
pub fn help() -> String {
    common::config::help("SWL_", KEYS)
}
