//! The build script. In a release build for Linux it has the linker lay side by side what a
//! one-shot publish calls (`order.ld`), which otherwise lies scattered over the program: the system
//! loads code in pieces of 64 KiB, so that a start reads and keeps less than half as much.

use std::env;

const ORDER: &str = ".packaging/order.ld";

fn main() {
    println!("cargo::rerun-if-changed={ORDER}");
    println!("cargo::rerun-if-env-changed=RUSTFLAGS");
    if is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && !has_own_linker()
    {
        // Relative: cargo runs the linker in the folder of the package.
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{ORDER}");
    }
}

fn is(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|found| found == value)
}

/// Whether the user has chosen a linker: GNU ld and lld add to their own layout what the file says,
/// others may not.
fn has_own_linker() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    env::var_os("RUSTC_LINKER").is_some() || flags.contains("link")
}
