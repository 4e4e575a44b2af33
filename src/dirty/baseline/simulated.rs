//! Simulated servers: pure functions of who asks and of chance. The clean ones must never be accused, whatever their
//! noise; the leaking ones give one persona another's data.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::{PageText, PersonaNumber};

/// What a server shows of who asks.
pub struct Visitor {
    pub name: &'static str,
    pub mask: &'static str,
    pub language: usize,
    pub plan: &'static str,
}

/// Two share a language, two a plan, and two the length of their names.
pub const PERSONAS: [Visitor; 4] = [
    Visitor { name: "tobias", mask: "t****s@x.test", language: 0, plan: "free" },
    Visitor { name: "maria-magdalena", mask: "m****a@x.test", language: 1, plan: "pro" },
    Visitor { name: "konstantin", mask: "k****n@x.test", language: 1, plan: "team" },
    Visitor { name: "oliver", mask: "o****r@x.test", language: 0, plan: "pro" },
];
const GREETINGS: [[&str; 3]; 2] = [["Hello", "you have", "news"], ["Hola", "tienes", "noticias"]];

/// What chance has in hand for one response.
pub struct Noise {
    pub random: StdRng,
    /// How many responses there have been.
    pub count: u64,
}

impl Noise {
    pub fn new(seed: u64) -> Self {
        Noise { random: StdRng::seed_from_u64(seed), count: 1000 + seed }
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.random.random_range(0..end)
    }

    fn one_of<'a>(&mut self, these: &[&'a str]) -> &'a str {
        these[self.random.random_range(0..these.len())]
    }

    pub fn id(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.random::<u64>(), self.random.random::<u64>())
    }

    /// A clock that goes on by a second with every tenth response or so.
    fn time(&self) -> String {
        let second = self.count / 10;
        format!("{:02}:{:02}:{:02}", second / 3600 % 24, second / 60 % 60, second % 60)
    }
}

/// A whole response.
pub struct Page {
    head: String,
    body: String,
}

impl Page {
    pub fn reply(&self) -> PageText<'_> {
        PageText { head: self.head.as_bytes(), body: self.body.as_bytes() }
    }
}

pub fn page(status: &str, headers: &[String], body: String, noise: &Noise) -> Page {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let date = noise.time();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 {date} GMT\r\nContent-Type: text/html; charset=utf-8\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    Page { head, body }
}

pub fn ok(headers: &[String], body: String, noise: &Noise) -> Page {
    page("200 OK", headers, body, noise)
}

/// What a secret key makes of a name.
pub fn hmac(name: &str, key: u64) -> String {
    let digest = |key: u64| {
        name.bytes()
            .fold(key, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
    };
    format!("{:016x}{:016x}", digest(key), digest(key ^ 0x5bd1_e995))
}

pub type SimulatedServer = fn(PersonaNumber, &mut Noise) -> Page;

/// Shows who asks, and no noise but the given text.
fn profile(who: PersonaNumber, noisy: &str, noise: &Noise) -> Page {
    let Visitor { name, mask, plan, .. } = &PERSONAS[who];
    let body = format!(
        "<html><title>Profile</title><h1>Profile</h1><p>{mask} has {} letters, plan <b>{plan}</b></p>{noisy}\
         <footer>All rights reserved</footer></html>",
        name.len()
    );
    ok(&[], body, noise)
}

/// Servers that leak nothing.
pub const CLEAN: [(&str, SimulatedServer); 24] = [
    ("says the same to all", |_, noise| ok(&[], "<p>Welcome to the shop</p>".to_owned(), noise)),
    ("shows the time", |who, noise| profile(who, &format!("<i>it is {}</i>", noise.time()), noise)),
    ("counts its responses", |who, noise| profile(who, &format!("<i>visitor number {}</i>", noise.count), noise)),
    ("counts to three", |who, noise| profile(who, &format!("<i>part {}</i>", noise.count % 3), noise)),
    ("names the request", |who, noise| {
        let Page { body, .. } = profile(who, "", noise);
        let id = format!("X-Request-Id: {}", noise.id());
        ok(&[id], body, noise)
    }),
    ("makes a token for a form and a nonce for a script", |who, noise| {
        let (token, nonce) = (noise.id(), noise.id());
        profile(who, &format!("<input name=csrf value={token}><script nonce='{nonce}'></script>"), noise)
    }),
    ("starts a session with every response", |who, noise| {
        let Page { body, .. } = profile(who, "", noise);
        let cookie = format!("Set-Cookie: session={}; Path=/; HttpOnly", noise.id());
        ok(&[cookie], body, noise)
    }),
    ("shuffles its keys", |who, noise| {
        let Visitor { name, plan, mask, .. } = &PERSONAS[who];
        let id = noise.id();
        let mut members = [
            format!("\"plan\":\"{plan}\""),
            format!("\"letters\": {}", name.len()),
            format!("\"mail\": \"{mask}\""),
            format!("\"trace\": \"{id}\""),
            format!("\"hash\":\"{}\"", hmac(name, 7)),
        ];
        members.shuffle(&mut noise.random);
        ok(&[], format!("{{{}}}", members.join(",")), noise)
    }),
    ("draws a digit where identity has one", |who, noise| {
        let digit = noise.below(10);
        let body = format!("<p>{} letters, {digit} points of 10</p><p>{digit}</p>", PERSONAS[who].name.len());
        ok(&[], body, noise)
    }),
    ("tosses a coin", |who, noise| {
        let side = noise.one_of(&["heads", "tails"]);
        profile(who, &format!("<i>{side}</i>"), noise)
    }),
    ("shows one advertisement of three", |who, noise| {
        let ad = noise.one_of(&["Umbrellas for everybody", "Hammers and nails", "Shipping container for sale"]);
        profile(who, &format!("<i>{ad}</i>"), noise)
    }),
    ("shows an advertisement to one in six", |who, noise| {
        let ad = if noise.below(6) == 0 { "<i>Advertisement: buybuybuy1234 now</i>" } else { "" };
        profile(who, ad, noise)
    }),
    ("tries two designs at random", |who, noise| match noise.below(2) {
        0 => profile(who, "", noise),
        _ => ok(&[], format!("<main><nav>Menu and more</nav>plan: {}</main>", PERSONAS[who].plan), noise),
    }),
    ("has an overloaded backend now and then", |who, noise| match noise.below(5) {
        0 => {
            let incident = noise.id();
            page("503 Service Unavailable", &[], format!("<h1>Sorry</h1>incident {incident}, 7 letters"), noise)
        }
        _ => profile(who, "", noise),
    }),
    ("has an overloaded backend as often as not", |who, noise| match noise.below(2) {
        0 => page("503 Service Unavailable", &[], "try later".to_owned(), noise),
        _ => profile(who, "", noise),
    }),
    ("says that it is busy with status 200", |who, noise| match noise.below(6) {
        0 => ok(&[], "busy, try again later".to_owned(), noise),
        _ => profile(who, "", noise),
    }),
    ("answers with nothing now and then", |who, noise| match noise.below(6) {
        0 => page("204 No Content", &[], String::new(), noise),
        _ => profile(who, "", noise),
    }),
    ("redirects now and then", |who, noise| match noise.below(6) {
        0 => page("302 Found", &[format!("Location: /login?next={}", noise.below(3))], String::new(), noise),
        _ => profile(who, "", noise),
    }),
    ("names its process", |who, noise| {
        let process = ["4711", "4712", "4713", "worker-0815-long"][noise.below(4) as usize];
        let Page { body, .. } = profile(who, &format!("<!-- {process} -->"), noise);
        ok(&[format!("X-Worker: {process}")], body, noise)
    }),
    ("tags its noise", |who, noise| {
        let Page { body, .. } = profile(who, &format!("<i>{}</i>", noise.below(4)), noise);
        let tag = format!("ETag: \"{}\"", hmac(&body, 3));
        ok(&[tag, format!("Last-Modified: {}", noise.time())], body, noise)
    }),
    ("caches now and then", |who, noise| {
        let (hit, age) = (noise.one_of(&["HIT", "MISS", "HIT"]), noise.below(3));
        let Page { body, .. } = profile(who, "", noise);
        ok(&[format!("X-Cache: {hit}"), format!("Age: {age}")], body, noise)
    }),
    ("tosses forty coins", |who, noise| {
        let coins: String = (0..40).map(|coin| format!("<td>c{coin}:{}</td>", noise.below(2))).collect();
        profile(who, &coins, noise)
    }),
    ("writes with two hundred long words", |who, noise| {
        let words: String = (0..50).map(|_| format!(" vocabulary{}", noise.below(200))).collect();
        profile(who, &words, noise)
    }),
    ("lists a random number of things in random order", |who, noise| {
        let mut things = ["hammer", "wheelbarrow", "saw", "screwdriver", "7", "Hola", "pro"];
        things.shuffle(&mut noise.random);
        let count = noise.random.random_range(1..things.len());
        let list: String = things[..count].iter().map(|thing| format!("<li>{thing}</li>")).collect();
        profile(who, &format!("<ul>{list}</ul>"), noise)
    }),
];

fn greeting(who: PersonaNumber) -> String {
    let [hello, have, news] = GREETINGS[PERSONAS[who].language];
    format!("<h1>{hello}!</h1><p>{have} 3 {news}</p>")
}

/// Servers that show who asks in one derived form, among some noise. They leak if asked in another's name.
pub const DERIVED: [(&str, SimulatedServer); 17] = [
    ("a hash", |who, noise| derived(&format!("<b>{}</b>", hmac(PERSONAS[who].name, 0)), noise)),
    ("a keyed hash in capitals", |who, noise| {
        derived(&format!("<b>{}</b>", hmac(PERSONAS[who].name, 77).to_uppercase()), noise)
    }),
    ("the name in capitals", |who, noise| derived(&PERSONAS[who].name.to_uppercase(), noise)),
    ("a mask", |who, noise| derived(&format!("mail to {}", PERSONAS[who].mask), noise)),
    ("a length", |who, noise| derived(&format!("Your name has {} letters", PERSONAS[who].name.len()), noise)),
    ("a language", |who, noise| derived(&greeting(who), noise)),
    ("a plan", |who, noise| derived(&format!("<td>Plan</td><td>{}</td>", PERSONAS[who].plan), noise)),
    ("a header", |who, noise| {
        let id = noise.id();
        ok(&[format!("X-Request-Id: {id}"), format!("X-Plan: {}", PERSONAS[who].plan)], "<p>fine</p>".to_owned(), noise)
    }),
    ("a cookie", |who, noise| {
        let session = format!("Set-Cookie: session={}; Path=/", noise.id());
        let theme = format!("Set-Cookie: tenant={}; Path=/", PERSONAS[who].plan);
        ok(&[session, theme], "<p>fine</p>".to_owned(), noise)
    }),
    ("a tag", |who, noise| {
        ok(&[format!("ETag: W/\"{}\"", &hmac(PERSONAS[who].name, 5)[..6])], "<p>fine</p>".to_owned(), noise)
    }),
    ("a member of JSON in random order", |who, noise| {
        let id = noise.id();
        let mut members = [
            format!("\"plan\":\"{}\"", PERSONAS[who].plan),
            format!("\"trace\":\"{id}\""),
            format!("\"count\":{}", noise.count),
            "\"more\":[1,2]".to_owned(),
        ];
        members.shuffle(&mut noise.random);
        ok(&[], format!("{{{}}}", members.join(",")), noise)
    }),
    ("a hash in a list in random order", |who, noise| {
        let mut items = vec![hmac(PERSONAS[who].name, 1), noise.id(), noise.id(), noise.id()];
        items.truncate(2 + noise.below(3) as usize);
        items.shuffle(&mut noise.random);
        ok(&[], format!("[\"{}\"]", items.join("\",\"")), noise)
    }),
    ("a hash in a random list, on a busy server", |who, noise| {
        let mut items = [hmac(PERSONAS[who].name, 1), noise.id(), "3".to_owned(), "of three".to_owned()];
        items.shuffle(&mut noise.random);
        match noise.below(8) {
            0 => ok(&[], "busy, try again later".to_owned(), noise),
            _ => derived(&items.join(" "), noise),
        }
    }),
    ("a redirect", |who, noise| {
        let place = format!("Location: /{}/home", PERSONAS[who].plan);
        page("302 Found", &[place], String::new(), noise)
    }),
    ("a status", |who, noise| match PERSONAS[who].plan {
        "free" => page("402 Payment Required", &[], "pay first".to_owned(), noise),
        _ => ok(&[], "all you want".to_owned(), noise),
    }),
    ("a profile, on a flaky server", |who, noise| match noise.below(16) {
        0 | 1 => page("503 Service Unavailable", &[], "try later".to_owned(), noise),
        2 => ok(&[], "busy, try again later".to_owned(), noise),
        _ => derived(&format!("plan {}, {} letters", PERSONAS[who].plan, PERSONAS[who].name.len()), noise),
    }),
    ("a page of another language altogether", |who, noise| {
        let (id, time) = (noise.id(), noise.time());
        ok(&[], format!("{} <!-- {time} {id} -->", greeting(who)), noise)
    }),
];

fn derived(shown: &str, noise: &mut Noise) -> Page {
    let (ad, id, time) = (noise.one_of(&["Umbrellas", "Nails", "Anvils of all sizes"]), noise.id(), noise.time());
    let body = format!("<html><h1>Home</h1><i>{ad}</i><p>It is {time}</p><div>{shown}</div><!-- {id} --></html>");
    ok(&[format!("X-Request-Id: {id}")], body, noise)
}
