//! The real programs, in one binary: most tests wait, so many of them run side by side. Not for what wants the machine
//! for itself (`load`) or root (`bad_paths`).

mod api_edges;
mod api_generated;
mod api_input;
mod api_openings;
mod bytes;
mod certificate_files;
mod cli;
mod control;
mod crashes;
mod doctor;
mod doctor_listener;
mod drain;
mod endings;
mod handover;
mod identity;
mod legacy;
mod network;
mod persistence;
mod pki_cli;
mod refusals;
mod renewal;
mod revocation_bounds;
mod revocation_crl;
mod revocation_lists;
mod revocation_live;
mod revocation_ocsp;
mod rotation;
mod rotation_files;
mod scep;
mod sessions;
mod systemd;
mod tokens;
