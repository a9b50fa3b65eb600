//! Thousands of small worlds, each from its own seed. `MQTTWS_SEED=n` replays one, `MQTTWS_SEEDS=n`
//! runs more.

use super::world::World;
use crate::mqtt::version::Version;

fn simulate(version: Version) {
    if let Ok(seed) = std::env::var("MQTTWS_SEED") {
        return World::new(version, seed.parse().expect("MQTTWS_SEED is a number")).run();
    }
    let worlds =
        std::env::var("MQTTWS_SEEDS").map_or(10_000, |count| count.parse().expect("a number"));
    for seed in 0..worlds {
        let run = std::panic::AssertUnwindSafe(|| World::new(version, seed).run());
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("MQTT {version}: seed {seed} failed; replay it with MQTTWS_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn many_worlds_of_mqtt_3_1() {
    simulate(Version::V3_1);
}

#[test]
fn many_worlds_of_mqtt_3_1_1() {
    simulate(Version::V3_1_1);
}

#[test]
fn many_worlds_of_mqtt_5() {
    simulate(Version::V5);
}
