//! Real servers: the shipped Python app under gunicorn and uvicorn, set-up included.

use crate::harness::Runner;

#[test]
fn gunicorn_is_clean_and_uvicorn_far_above_it_and_dirty() {
    let outcome = Runner::shipped("gunicorn_vs_uvicorn")
        .set("load.duration=3s")
        .set("load.concurrency=50")
        .set("load.timeout=30s")
        .set("dirty.sleep={long=\"300ms\", short=\"20ms\"}")
        .set("dirty.time=5s")
        .run()
        .exit(0);
    let record = outcome.record("gunicorn_vs_uvicorn");
    let trial = |variant: usize| &record["variants"][variant]["trials"][0];
    let throughput = |variant: usize| trial(variant)["load"]["throughput"].as_f64().unwrap();
    assert!(throughput(0) < 11.0, "one blocking worker at 100 ms: {}", throughput(0));
    assert!(throughput(1) > 5.0 * throughput(0), "{} {}", throughput(0), throughput(1));
    let leaks = |variant: usize| trial(variant)["dirty"]["leaks"].as_u64().unwrap();
    assert_eq!(leaks(0), 0);
    let leak = &trial(1)["dirty"]["evidence"][0];
    assert!(leaks(1) > 0 && leak["victim"]["request"] != leak["source"]["request"], "{leak}");
    // The line that wrote it and the line that read it, as the shipped application has them.
    let located = &leak["located"];
    let app = std::fs::read_to_string(crate::harness::shipped("scenarios/apps/python/app.py")).unwrap();
    let line = |place: &serde_json::Value| {
        let number = place["line"].as_u64().unwrap_or_default() as usize;
        (place["file"] == "app.py").then(|| app.lines().nth(number.saturating_sub(1)).unwrap_or_default().trim())
    };
    assert_eq!(
        (&located["confidence"], &located["object"]),
        (&"located".into(), &"app.account.email".into()),
        "{located:#}"
    );
    assert!(line(&located["write"]).is_some_and(|line| line.starts_with("account.email =")), "{located:#}");
    assert_eq!(line(&located["read"]), Some("return page(account.email)"), "{located:#}");
    for variant in [0, 1] {
        let server = &trial(variant)["servers"][0];
        assert!(server["samples"].as_array().map_or(0, Vec::len) > 10, "sampled while loaded");
        assert!(server["rss_peak_bytes"].as_u64().unwrap() > 1_000_000 && server["end"]["type"] == "stopped");
    }
}

#[test]
fn a_unix_socket_serves_as_a_port_does() {
    let app = crate::harness::shipped("scenarios/apps/python");
    let scenario = format!(
        r#"
        [server]
        cwd = "{}"
        setup = "make venv"
        command = [".venv/bin/gunicorn", "--bind", "unix:{{socket}}", "app:wsgi"]
        listen = "unix"
        ready = {{ path = "/health", within = "60s" }}
        [load]
        path = "/sync_sleep/?sleep=5ms"
        concurrency = 2
        duration = "500ms"
        [assert]
        that = ["errors.count == 0", "completed > 5"]
        "#,
        app.display()
    );
    let record = Runner::with(&scenario).run().exit(0).record("scenario");
    let address = record["variants"][0]["trials"][0]["servers"][0]["address"].as_str().unwrap().to_owned();
    assert!(address.starts_with("unix:") && !std::path::Path::new(&address[5..]).exists(), "{address}");
}
