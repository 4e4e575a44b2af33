//! How fast canaries are looked for, by kind of body: `make bench.scan`.

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use runner::canary::Canaries;
use rustix::time::{ClockId, clock_gettime};

const SIZE: usize = 1_000_000;
const REPEATS: usize = 60;

fn main() {
    let canaries = Canaries::new(1);
    println!("{:<34}{:>8}", "body of 1 MB", "MB/s");
    for (kind, body) in bodies() {
        assert!(body.len() >= SIZE && canaries.scan(&body).is_empty(), "{kind}");
        let best = (0..REPEATS).map(|_| time(|| canaries.scan(black_box(&body)))).min().unwrap_or_default();
        println!("{kind:<34}{:>8.0}", body.len() as f64 / best.as_secs_f64() / 1e6);
    }
}

/// In time of this thread on the processor, which other programs on a busy machine do not lengthen.
fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let start = now();
    black_box(work());
    now() - start
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let html = fill(|n| {
        format!(
            "<li class=\"item row-{n}\"><a href=\"/users/{n}?tab=posts&amp;sort=new\" style=\"width: 50%\">Prize of the \
             week</a>\n  <p>It was a bright cold day in April, and the clocks were striking &quot;thirteen&quot;.</p></li>\n"
        )
    });
    let json = fill(|n| {
        format!(
            r#"{{"id":{n},"text":"line\nof \"text\"\twith \u003cb\u003e, \u0026 and \u00e9t\u00e9","at":"http:\/\/a.test\/{n}","p":"C:\\dir"}},"#
        )
    });
    let prose = fill(|n| format!("It was a bright, cold day in April {n}, and the clocks were striking thirteen. "));
    let mut random = vec![0; SIZE];
    rand::rngs::StdRng::seed_from_u64(2).fill_bytes(&mut random);
    let cyrillic = fill(|n| format!("%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82+{n}"));
    let hex = |bytes: &[u8]| bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect::<Vec<u8>>();
    let escaped = |prefix: &str| prose.iter().flat_map(|byte| format!("{prefix}{byte:02x}").into_bytes()).collect();
    let mut lines = rand::rngs::StdRng::seed_from_u64(3);
    let ids = fill(|_| format!("{:016x}-{:08x}\n", lines.next_u64(), lines.random::<u32>()));
    vec![
        ("HTML page", html.clone()),
        ("JSON with many escapes", json),
        ("prose", prose.clone()),
        ("base64 of random bytes", STANDARD.encode(&random).into_bytes()),
        ("base64 of HTML", STANDARD.encode(&html).into_bytes()),
        ("random bytes", random.clone()),
        ("hex dump of random bytes", hex(&random)),
        ("hex dump of HTML", hex(&html)),
        ("random ids, a line each", ids),
        ("percent-encoded Cyrillic", cyrillic),
        ("percent-encoded, every byte", escaped("%")),
        ("JSON escapes, every byte", escaped("\\u00")),
    ]
}

/// Items, numbered, up to the size.
fn fill(mut item: impl FnMut(usize) -> String) -> Vec<u8> {
    let mut body = Vec::with_capacity(SIZE + 1000);
    for number in 0.. {
        if body.len() >= SIZE {
            break;
        }
        body.extend_from_slice(item(number).as_bytes());
    }
    body
}
