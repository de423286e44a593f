//! The table of settings that `--help` shows. A test holds it against what the reader takes.

use common::config::Key;

pub(super) const KEYS: &[Key] = &[
    (
        "client_cert_path",
        "required",
        "this connector's certificate chain, PEM, leaf first",
    ),
    (
        "client_key_path",
        "required",
        "its private key, PEM, readable by the owner only",
    ),
    (
        "ca_cert_path",
        "required",
        "CA certificates for the listener, PEM",
    ),
    (
        "server_name",
        "required without listeners",
        "name of the listener: dialled, and verified in its certificate",
    ),
    ("service_port", "11443", "the listener's port (UDP)"),
    (
        "listeners",
        "none",
        "several host:port instead; a session is held to each",
    ),
    (
        "allowed_targets",
        "any",
        "list of what may be dialled: HOST, NETWORK/BITS, each with :PORT or :FROM-TO",
    ),
    (
        "dial_timeout_seconds",
        "10",
        "time limit for dialling a target",
    ),
    (
        "target_receive_buffer_bytes",
        "262144",
        "receive buffer of sockets to targets; 0 for the kernel's own tuning",
    ),
    (
        "drain_timeout_seconds",
        "30",
        "how long streams may go on after SIGTERM",
    ),
    (
        "renew.command",
        "none",
        "puts a new certificate into the files: [PROGRAM, ARGUMENT...], or a line for the shell",
    ),
    (
        "renew.before_days",
        "1/3 of lifetime",
        "how long before the certificate's end it runs",
    ),
    (
        "renew.retry_seconds",
        "3600",
        "after failures it runs again after an eighth of this, growing to the whole",
    ),
    ("renew.timeout_seconds", "300", "how long it may take"),
    (
        "renew.pass_environment",
        "none",
        "list of variables that it gets besides PATH, HOME and the like",
    ),
    (
        "expiry_warning_days",
        "30",
        "how many days before its end a certificate is warned of",
    ),
    (
        "legacy_protocol",
        "true",
        "serve listeners of socket-warp 1.x",
    ),
    ("keep_alive_seconds", "10", "silence before a PING"),
    (
        "idle_timeout_seconds",
        "20",
        "time without an answer before a session is dead",
    ),
    (
        "max_streams",
        "16384",
        "streams that a listener may hold open",
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
        "expected_listener_name",
        "none",
        "a name (SAN or CN) that the listener's certificate must have beside server_name",
    ),
    (
        "listener_pins",
        "none",
        "list of sha256/BASE64 of public keys: the listener's or one of its CAs'",
    ),
    (
        "insecure_skip_server_verification",
        "false",
        "for development only: take any certificate of a listener",
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
    common::config::help("SWC_", KEYS)
}
