//! What else than who asks makes one page differ from the next.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::site::{Draft, Site, refuse};
use crate::net::decoding::Undecoded;

pub type Noise = fn(&mut Site, &mut Draft);

/// Those by which lone replies tell who asks, if nothing else does.
pub const TELL: [&str; 11] = [
    "a fresh roll of each life",
    "numbers in order of appearance",
    "visits of each",
    "a quota for each",
    "a sticky experiment",
    "a sticky build with overflow",
    "a picture of bytes",
    "compressed and undecoded",
    "compressed in base64",
    "the time that work takes",
    "the size of the request",
];

/// Those behind which a leak cannot be seen.
pub const HIDE: [&str; 3] = ["a picture of bytes", "compressed and undecoded", "any of some fallbacks"];

pub const ALL: [(&str, Noise); 36] = [
    ("a clock", |site, draft| {
        draft.parts.push(format!("<i>it is {}:{:02}</i>", site.count / 60 % 24, site.count % 60))
    }),
    ("a request id", |site, draft| draft.headers.push(format!("X-Request-Id: {}", id(site)))),
    ("a token for forms", |site, draft| {
        let token = id(site);
        draft.headers.push(format!("Set-Cookie: csrf={token}; Path=/"));
        draft.parts.push(format!("<input name=csrf value={token}>"));
    }),
    ("a counter", |site, draft| draft.parts.push(format!("<i>visitor {}</i>", site.count))),
    ("a counter to three", |site, draft| draft.parts.push(format!("<i>part {}</i>", site.count % 3))),
    ("visits of each", |site, draft| {
        let visits = draft.who.map_or(0, |who| site.visits[who]);
        draft.parts.push(format!("<i>your visit no {visits}</i>"));
    }),
    ("a quota for each", |site, draft| {
        let left = draft.who.map_or(0, |who| 60_u64.saturating_sub(site.visits[who] % 60));
        draft.headers.push(format!("X-RateLimit-Remaining: {left}"));
    }),
    ("a quota for all", |site, draft| draft.headers.push(format!("RateLimit-Remaining: {}", 5000 - site.count % 5000))),
    ("an experiment at random", |site, draft| {
        let variant = ["control", "treatment"][usize::from(site.chance(0.5))];
        draft.parts.push(format!("<i>variant {variant}</i>"));
    }),
    ("a sticky experiment", |site, draft| {
        let variant = rolled(site, draft.who, 0) % 2;
        draft
            .parts
            .push(format!("<i>variant {variant}</i><b>{}</b>", ["button-large", "button-small"][variant as usize]));
    }),
    ("a sticky build with overflow", |site, draft| {
        let overflows = draft.in_flight > 0 && site.chance(site.rate);
        let build = (rolled(site, draft.who, 0) + u64::from(overflows)) % 2;
        draft.headers.push(format!("X-Build: {}", ["a81f33c0", "b92e44d1"][build as usize]));
    }),
    ("a fresh roll of each life", |site, draft| {
        let roll = rolled(site, draft.who, site.life) % 4;
        draft.parts.push(format!("<i>shard {roll}</i>"));
    }),
    ("numbers in order of appearance", |site, draft| {
        let number = draft.who.and_then(|who| site.order.iter().position(|other| *other == who)).map_or(0, |at| at + 1);
        draft.parts.push(format!("<i>session {number}</i>"));
    }),
    ("a flaky backend", |site, draft| {
        if site.chance(0.12) {
            let incident = id(site);
            refuse(draft, "500 Internal Server Error", &format!("<h1>Sorry</h1>incident {incident}"));
        }
    }),
    ("a rate limit", |site, draft| {
        if draft.in_flight > 3 && site.chance(0.3) {
            draft.headers.push("Retry-After: 1".to_owned());
            refuse(draft, "429 Too Many Requests", "slow down");
        }
    }),
    ("a fallback when busy", |site, draft| {
        if draft.in_flight > 3 && site.chance(site.rate) {
            draft.shown = site.people[site.stand_in].clone();
        }
    }),
    ("a fallback after a time-out", |site, draft| {
        if draft.in_flight > 0 && site.chance(0.004) {
            draft.shown = site.people[site.stand_in].clone();
        }
    }),
    ("any of some fallbacks", |site, draft| {
        if draft.in_flight > 0 && site.chance(site.rate) {
            let any = site.random.random_range(0..site.people.len());
            draft.shown = site.people[any].clone();
        }
    }),
    ("an error page with the default in it", |site, draft| {
        if draft.in_flight > 3 && site.chance(site.rate) {
            let text = format!("<h1>Oops</h1>no such key, used {} instead", site.people[site.stand_in].hash);
            refuse(draft, "500 Internal Server Error", &text);
        }
    }),
    ("a picture of bytes", |site, draft| {
        let bytes = compressed(site, draft);
        if site.seed % 2 == 0 {
            draft.headers.push("Content-Type: image/webp".to_owned());
        }
        draft.body = Some(bytes);
    }),
    ("compressed and undecoded", |site, draft| {
        let bytes = compressed(site, draft);
        draft.headers.push("Content-Encoding: compress".to_owned());
        draft.reply.undecoded = Some(Undecoded::Unknown("compress".to_owned()));
        draft.body = Some(bytes);
    }),
    ("compressed in base64", |site, draft| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(compressed(site, draft));
        draft.parts.push(format!("<i data-state=\"{text}\"></i>"));
    }),
    ("one advertisement of three", |site, draft| {
        let ad =
            ["Umbrellas for everybody", "Hammers and nails", "Shipping containers"][site.random.random_range(0..3)];
        draft.parts.push(format!("<aside>{ad}</aside>"));
    }),
    ("an advertisement now and then", |site, draft| {
        if site.chance(0.15) {
            draft.parts.push("<aside>Buy buybuybuy1234 now</aside>".to_owned());
        }
    }),
    ("a cache in front", |site, draft| {
        let hit = ["HIT", "MISS", "EXPIRED"][site.random.random_range(0..3)];
        draft.headers.extend([
            format!("X-Cache: {hit}"),
            format!("Age: {}", site.count % 4),
            "Vary: Cookie".to_owned(),
        ]);
    }),
    ("two builds in turn", |site, draft| {
        let build = ["main.81fa33c0.js", "main.92eb44d1.js"][(site.count % 2) as usize];
        draft.parts.push(format!("<script src=/{build}></script>"));
    }),
    ("members in random order", |site, draft| {
        let mut members =
            [format!("\"plan\":\"{}\"", site.seed), "\"count\":3".to_owned(), format!("\"trace\":\"{}\"", id(site))];
        members.shuffle(&mut site.random);
        draft.parts.push(format!("<code>{{{}}}</code>", members.join(",")));
    }),
    ("a worker's number", |site, draft| {
        let worker = ["4711", "4712", "4713", "worker-0815-long"][site.random.random_range(0..4)];
        draft.headers.push(format!("X-Served-By: {worker}"));
    }),
    ("how many are served", |_, draft| draft.parts.push(format!("<i>{} active now</i>", draft.in_flight.max(1)))),
    ("a notice from some time on", |site, draft| {
        let notice =
            if site.count > 1000 + site.seed % 400 { "Maintenance tonight at ten" } else { "All systems operational" };
        draft.parts.push(format!("<p>{notice}</p>"));
    }),
    ("the time that work takes", |site, draft| {
        let alone = draft.who.map_or(1, |who| 1 + who as u64 % 3);
        let took = if draft.in_flight > 0 { alone + site.random.random_range(0..9) } else { alone };
        draft.headers.push(format!("Server-Timing: total;dur={took}"));
    }),
    ("the size of the request", |site, draft| {
        let more = if draft.in_flight > 0 { site.random.random_range(0..20) } else { 0 };
        draft.parts.push(format!("<i>{} bytes</i>", 80 + 3 * draft.who.map_or(0, |who| who + 1) + more));
    }),
    ("nothing now and then", |site, draft| {
        if site.chance(0.1) {
            refuse(draft, "204 No Content", "");
        }
    }),
    ("busy, with status 200", |site, draft| {
        if site.chance(0.1) {
            refuse(draft, "200 OK", "busy, try again later");
        }
    }),
    ("a list of random length", |site, draft| {
        let mut things = ["hammer", "wheelbarrow", "saw", "screwdriver", "7", "Hola", "pro"];
        things.shuffle(&mut site.random);
        let count = site.random.random_range(1..things.len());
        draft.parts.push(things[..count].iter().map(|thing| format!("<li>{thing}</li>")).collect());
    }),
    ("forty coins", |site, draft| {
        let coins: String = (0..40).map(|coin| format!("<td>c{coin}:{}</td>", u8::from(site.chance(0.5)))).collect();
        draft.parts.push(coins);
    }),
];

fn id(site: &mut Site) -> String {
    format!("{:016x}", site.random.random::<u64>())
}

/// What was drawn for somebody, once and for all of a life.
fn rolled(site: &Site, who: Option<usize>, life: u64) -> u64 {
    let who = who.map_or(0, |who| who as u64 + 1);
    rand::rngs::StdRng::seed_from_u64(site.seed ^ (life << 32) ^ (who << 48)).random_range(0..1000)
}

/// Bytes that follow from who asks, and among others from what else a request holds.
fn compressed(site: &mut Site, draft: &Draft) -> Vec<u8> {
    let what_else = if draft.in_flight > 0 { site.random.random_range(0..50) } else { 0 };
    let seed = rolled(site, draft.who, 0) ^ (what_else << 20);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed ^ site.seed);
    (0..150).map(|_| random.random::<u8>()).collect()
}
