use super::*;
use crate::record::{Environment, LoadRecord, RoundsRecord, Runner, ScenarioRecord, Status};
use crate::scenario::tests::loaded;

/// Two variants, each with so many trials, and a rule.
fn scenario(repeats: u32) -> Scenario {
    loaded(&format!(
        "name = \"a\"\n[server]\nmode = \"sync\"\n[load]\npath = \"/health\"\nconcurrency = 1\n[assert]\nthat = [\"throughput > 50/s\"]\n\
         [matrix]\n\"server.mode\" = [\"sync\", \"async\"]\nrepeats = {repeats}\n"
    ))
}

fn trial(throughput: f64) -> Trial {
    let load = LoadRecord {
        model: "closed".to_owned(),
        throughput,
        started: 100,
        completed: 100,
        duration_s: 1.0,
        ..LoadRecord::default()
    };
    Trial { load: Some(load), ..Trial::default() }
}

/// What a run of these rounds on machine `cpu` measures; all rounds if none are named.
fn record(scenario: &Scenario, chosen: Option<Range<u32>>, cpu: &str) -> Record {
    let range = chosen.clone().unwrap_or(0..scenario.repeats);
    // A trial is known by its round and its variant.
    let figure = |round: u32, variant: usize| f64::from(100 * (variant as u32 + 1) + round);
    let of = |variant: usize| range.clone().map(|round| trial(figure(round, variant))).collect();
    let trials = (0..scenario.variants.len()).map(of).collect();
    let variants = judged::variants(scenario, range.len() as u32, trials);
    Record {
        format: FORMAT,
        runner: Runner { version: env!("CARGO_PKG_VERSION").to_owned() },
        started: format!("2026-01-01T00:00:{:02}Z", 30 - range.start),
        seed: 1,
        status: Record::status_of(&variants),
        scenario: ScenarioRecord {
            name: scenario.name.clone(),
            about: None,
            file: "a.toml".to_owned(),
            overrides: Vec::new(),
            effective: scenario.effective.clone(),
            allowed_hosts: Vec::new(),
            secrets: Vec::new(),
            withheld: Default::default(),
        },
        environment: Environment { cpu: cpu.to_owned(), ..Environment::default() },
        total_s: 10.0 + f64::from(range.start),
        scaling: scalability::scaling(&variants),
        comparison: comparison::compare(&variants),
        variants,
        resumed: None,
        rounds: chosen.map(|rounds| RoundsRecord {
            first: rounds.start,
            count: rounds.len() as u32,
            of: scenario.repeats,
        }),
        merged: Vec::new(),
    }
}

fn throughputs(record: &Record) -> Vec<Vec<f64>> {
    let of = |trial: &Trial| trial.load.as_ref().map_or(0.0, |load| load.throughput);
    record.variants.iter().map(|variant| variant.trials.iter().map(of).collect()).collect()
}

fn refused(scenario: &Scenario, records: Vec<Record>) -> (usize, Option<usize>, String) {
    let refused = merge(scenario, records).unwrap_err();
    assert!(!refused.advice().is_empty());
    (refused.record, refused.beside, refused.to_string().replace("these records cannot be merged: ", ""))
}

#[test]
fn rounds_of_several_runs_are_judged_as_those_of_one() {
    let scenario = scenario(4);
    let whole = record(&scenario, None, "x");
    let parts = [2..4, 0..1, 1..2].map(|rounds| record(&scenario, Some(rounds), "x"));
    let merged = merge(&scenario, parts.to_vec()).unwrap();
    assert_eq!(throughputs(&merged), throughputs(&whole));
    let text = |record: &Record| {
        let variants = serde_json::to_value(&record.variants).unwrap();
        (variants, serde_json::to_value(&record.comparison).unwrap(), record.status)
    };
    assert_eq!(text(&merged), text(&whole));
    let of = |part: &MergedRecord| (part.rounds.unwrap().first, part.trials, part.started.clone());
    let at = |second: u32| format!("2026-01-01T00:00:{second}Z");
    assert_eq!(merged.merged.iter().map(of).collect::<Vec<_>>(), [(0, 2, at(30)), (1, 2, at(29)), (2, 4, at(28))]);
    assert_eq!((merged.started, merged.total_s, merged.rounds), (at(28), 33.0, None));
}

#[test]
fn one_whole_record_stays_as_it_is() {
    let scenario = scenario(2);
    let whole = record(&scenario, None, "x");
    let merged = merge(&scenario, vec![whole.clone()]).unwrap();
    assert_eq!(serde_json::to_value(merged).unwrap(), serde_json::to_value(whole).unwrap());
}

#[test]
fn whole_runs_stand_one_behind_the_other() {
    let scenario = scenario(2);
    let (mut one, other) = (record(&scenario, None, "x"), record(&scenario, None, "y"));
    (one.started, one.seed) = ("2026-01-02T00:00:00Z".to_owned(), 2);
    let merged = merge(&scenario, vec![one, other]).unwrap();
    assert_eq!(throughputs(&merged)[0], [100.0, 101.0, 100.0, 101.0]);
    assert_eq!((merged.seed, merged.environment.cpu.as_str(), merged.status), (1, "y", Status::Passed));
    assert_eq!(merged.variants[0].planned_trials, 4);
    let caveats: Vec<&str> = merged.variants[0].caveats.iter().map(|caveat| caveat.kind.as_str()).collect();
    assert!(caveats.contains(&"several_machines"), "{caveats:?}");
}

#[test]
fn rounds_that_nobody_brought_were_left_out() {
    let scenario = scenario(4);
    let parts = [0..1, 2..3].map(|rounds| record(&scenario, Some(rounds), "x"));
    let merged = merge(&scenario, parts.to_vec()).unwrap();
    let variant = &merged.variants[1];
    assert_eq!((merged.status, variant.planned_trials, variant.trials.len()), (Status::Interrupted, 4, 2));
    let caveat = variant.caveats.iter().find(|caveat| caveat.kind == "missing_rounds").unwrap();
    assert_eq!(caveat.message, "2 of 4 rounds are in no record: 1, 3 (the first is 0)");
    let alone = merge(&scenario, vec![record(&scenario, Some(0..1), "x")]).unwrap();
    assert_eq!((alone.status, alone.merged.len()), (Status::Interrupted, 1));
}

#[test]
fn trials_of_one_round_stay_pairs_where_one_was_cut_off() {
    let scenario = scenario(3);
    let mut parts = [0..2, 2..3].map(|rounds| record(&scenario, Some(rounds), "x"));
    parts[0].variants[1].trials.pop();
    let merged = merge(&scenario, parts.to_vec()).unwrap();
    assert_eq!(throughputs(&merged), [[100.0, 101.0, 102.0], [200.0, 0.0, 202.0]]);
    assert!(merged.variants[1].trials[1].interrupted);
    assert_eq!(merged.status, Status::Interrupted);
}

#[test]
fn what_does_not_belong_together_is_refused_and_named() {
    let scenario = scenario(2);
    let [one, other] = [0..1, 1..2].map(|rounds| record(&scenario, Some(rounds), "x"));
    let with = |change: &dyn Fn(&mut Record)| {
        let mut other = other.clone();
        change(&mut other);
        refused(&scenario, vec![one.clone(), other])
    };
    let told = |beside, text: &str| (1, beside, text.to_owned());
    assert_eq!(
        with(&|other| other.scenario.name = "b".to_owned()),
        told(None, "one is of the scenario `a`, the other of `b`")
    );
    assert_eq!(
        with(&|other| other.scenario.effective = other.scenario.effective.replace("50/s", "60/s")),
        told(Some(0), "`assert.that` is [\"throughput > 50/s\"] in one, and [\"throughput > 60/s\"] in the other")
    );
    assert_eq!(
        with(&|other| other.runner.version = "0.0.1".to_owned()).2,
        format!("one was written by runner {}, the other by runner 0.0.1", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(with(&|other| other.format = 1).2, format!("one is of format {FORMAT}, the other of format 1"));
    assert_eq!(
        with(&|other| *other = one.clone()),
        told(Some(0), "the run of 2026-01-01T00:00:30Z with the seed 1 is given twice")
    );
    assert_eq!(
        with(&|other| other.rounds = Some(RoundsRecord { first: 1, count: 1, of: 3 })),
        told(None, "it holds some of 3 rounds, and the scenario has 2")
    );
    assert_eq!(
        with(&|other| other.rounds = Some(RoundsRecord { first: 1, count: 2, of: 2 })).2,
        "it holds 3 rounds, and the scenario has 2"
    );
    assert_eq!(with(&|other| other.variants.truncate(1)).2, "it holds 1 variant, and the scenario has 2");
    let parts = vec![one.clone(), other.clone()];
    let merged = merge(&scenario, parts).unwrap();
    assert_eq!(with(&|other| *other = merged.clone()), told(None, "it was merged itself, from 2 records"));
    assert_eq!(refused(&scenario, Vec::new()).2, "there is none");
    let mut old = [one.clone(), other.clone()];
    old.iter_mut().for_each(|record| record.runner.version = "0.0.1".to_owned());
    let this = env!("CARGO_PKG_VERSION");
    assert_eq!(
        refused(&scenario, old.to_vec()).2,
        format!("they were written by runner 0.0.1, and this is runner {this}")
    );
}

#[test]
fn the_seed_may_differ() {
    let scenario = scenario(2);
    let [one, mut other] = [0..1, 1..2].map(|rounds| record(&scenario, Some(rounds), "x"));
    other.seed = 7;
    other.scenario.effective = format!("seed = 7\n{}", other.scenario.effective);
    assert!(merge(&scenario, vec![one, other]).is_ok());
}

#[test]
fn searches_for_a_crossover_are_not_merged() {
    let text = "[server]\nmode = \"sync\"\n[load]\npath = \"/sync_sleep/?sleep={sleep}\"\nconcurrency = 1\n\
                [matrix]\n\"server.mode\" = [\"sync\", \"async\"]\n\"load.sleep\" = [\"1ms\", \"40ms\"]\nrepeats = 2\n[crossover]\ntime = \"3s\"\n";
    let scenario = loaded(&format!("name = \"a\"\n{text}"));
    assert_eq!(plan::rounds(&scenario), 1);
    let (one, mut other) = (record(&scenario, None, "x"), record(&scenario, None, "x"));
    other.seed = 2;
    let told = refused(&scenario, vec![one, other]).2;
    assert_eq!(told, "the scenario searches for a crossover, and each has one of its own");
}
