//! One mistake, one message: what follows only from it is not said.

use toml::{Table, Value};

use super::*;

/// Scenarios that are valid, in which every value is spoilt in turn.
const SOURCES: [&str; 7] = [
    "[server]\nmode = \"threaded\"\nthreads = 4\nworkers = 2\n[load]\npath = \"/a/\"\nrate = \"1000/s\"\nspacing = \"poisson\"\n\
     max_concurrency = 50\nduration = \"1s\"\nwarmup = \"1s\"\ntimeout = \"2s\"\ndrain = \"1s\"\n\
     [assert]\nthat = [\"latency.p99 < 1s\", \"errors.rate < 1%\"]\nabort_when = [\"errors.rate > 50% for 5s\"]",
    "[server]\nmode = \"async\"\nscript = \"handlers/a.rhai\"\n[load]\npath = \"/a/?sleep={sleep}\"\nsleep = \"10ms\"\n\
     concurrency = 8\nrequests = 100\npause = \"10ms\"\npipeline = 2\nheaders = { x-a = \"b\" }\ncookies = { sid = \"{user}\" }",
    "[server]\ncommand = [\"serve\", \"{host}\", \"{port}\"]\nready = { path = \"/health\", within = \"20s\" }\n\
     stop = { signal = \"TERM\", grace = \"5s\" }\nenv = { DEBUG = \"1\" }\n[load]\n\
     stages = [{ rate = \"10/s\", for = \"1s\" }, { rate = \"20/s\", for = \"2s\", ramp = true }]\n\
     [[load.request]]\npath = \"/a\"\nweight = 2\n[[load.request]]\nname = \"b\"\npath = \"/b\"\nmethod = \"POST\"\nform = { a = 1 }",
    "[server]\nurl = \"http://127.0.0.1:8000\"\n[load]\npath = \"/\"\nmethod = \"POST\"\njson = { a = [1, { b = \"{seq}\" }] }\n\
     concurrency = 4\nstreams = 2\nhttp = \"2\"\nthreads = 1",
    "seed = 7\nname = \"x\"\nabout = \"y\"\n[server]\nmode = \"async\"\n[dirty]\npath = \"/a/?e={canary}\"\ntime = \"5s\"\nbound = \"1%\"\n\
     expect = \"clean\"\nheaders = { x-user = \"{canary}\" }\nsleep = \"10ms\"\ntriggers = [\"overlap\", \"pair\"]",
    "[server]\nmode = \"async\"\n[dirty]\npath = \"/a/\"\nquery = { e = \"{identity.email}\" }\nexposures = 100\nheaders = { authorization = \"Bearer {token}\" }\nskip = [\"abort\"]\n\
     identities = [{ email = \"a@x\", password = \"pw-a-1\" }, { email = \"b@x\", password = \"pw-b-1\" }]\n\
     [dirty.login]\npath = \"/login\"\nform = { email = \"{identity.email}\", password = \"{identity.password}\" }\ntoken = \"t\"",
    "[servers.a]\nmode = \"sync\"\n[servers.b]\nmode = \"async\"\nworkers = 2\n[load]\npath = \"/a/\"\nconcurrency = 2\n[matrix]\n\
     server = [\"a\", \"b\"]\n\"load.concurrency\" = [1, 2]\nrepeats = 2\n[assert]\nthat = [{ rule = \"errors.count == 0\", when = { server = \"a\" } }]",
];

/// What a value is replaced with; each is wrong almost everywhere.
fn spoils() -> [Value; 5] {
    [Value::from("1,5s"), Value::from("%%"), Value::from(-1), Value::from(true), Value::Array(vec![Value::from(0.5)])]
}

/// Every table that differs from this one in one value.
fn spoilt(whole: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let inside: Vec<(String, Value)> = match whole {
        Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in inside {
        let put = |new: Value| {
            let mut whole = whole.clone();
            match &mut whole {
                Value::Table(table) => drop(table.insert(key.clone(), new)),
                Value::Array(items) => items[key.parse::<usize>().unwrap()] = new,
                _ => {}
            }
            whole
        };
        if let Value::Table(table) = whole {
            let without = || table.clone().into_iter().filter(|(other, _)| *other != key);
            let misspelt = without().chain([(format!("{key}_x"), value.clone())]);
            all.push((format!("{key}_x"), Value::Table(misspelt.collect())));
            if ["load", "matrix", "server"].contains(&key.as_str()) {
                all.push((format!("no {key}"), Value::Table(without().collect())));
            }
        }
        all.extend(spoils().into_iter().map(|spoil| (format!("{key} = {spoil}"), put(spoil))));
        all.extend(spoilt(&value).into_iter().map(|(path, inner)| (format!("{key}.{path}"), put(inner))));
    }
    all
}

// fault: labels: one value or key of a scenario is wrong -> one message, and none of what only follows from it
#[test]
fn one_mistake_makes_one_message() {
    let mut tried = 0;
    let mut several = Vec::new();
    for source in SOURCES {
        World::of(source).load_with(&[]).unwrap_or_else(|problems| panic!("{source}\n{problems}"));
        for (path, wrong) in spoilt(&Value::Table(source.parse::<Table>().unwrap())) {
            let Err(problems) = World::of(&toml::to_string(&wrong).unwrap()).load_with(&[]) else { continue };
            // Each place that names such a field is told.
            if ["identities.0.email_x", "identities.0.password_x"].iter().any(|named| path.ends_with(named)) {
                continue;
            }
            tried += 1;
            let titles: Vec<&str> = problems.iter().map(|problem| problem.title.as_str()).collect();
            if titles.len() > 1 {
                several.push(format!("{path}: {}", titles.join("; ")));
            }
        }
    }
    assert!(tried > 300, "only {tried} mistakes");
    assert!(several.is_empty(), "{} of {tried}:\n{}", several.len(), several.join("\n"));
}
