//! One property under libFuzzer: `$MQTTWS_FUZZ_TARGET` names it. `tests/fuzz/run` builds and runs
//! this.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mqttws_fuzz::properties::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("MQTTWS_FUZZ_TARGET").expect("MQTTWS_FUZZ_TARGET names a target");
    TARGETS.iter().find(|target| target.name == name).expect("MQTTWS_FUZZ_TARGET is known")
});

fuzz_target!(|data: &[u8]| (TARGET.check)(data));
