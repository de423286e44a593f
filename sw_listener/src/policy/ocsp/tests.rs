//! OCSP against hand-made answers, servers that lie, and openssl's responder.

mod answers;
mod forge;
mod keeping;
mod liars;
mod openssl;
mod openssl_responder;
mod server;
