//! Simulated servers: what a page shows of who asks, what else it shows, and whom it mistakes for whom.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::noise::{self, Noise};
use crate::net::sink::BufferedResponse;

/// What a check should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Clean,
    /// Its pages tell nothing of who asks.
    Silent,
    Leaking,
}

/// Whom a request is mistaken for.
#[derive(Debug, Clone, Copy)]
enum Leak {
    /// Somebody who asks at the same time: a slot that all write.
    Overlapping,
    /// Who asked last.
    Stale,
}

/// What those get who do not say who they are.
#[derive(Debug, Clone, Copy)]
enum Anonymous {
    Refused,
    Redirected,
    /// The page with the default in it.
    Default,
}

/// What a page can show of somebody.
const SHOWN: [fn(&Person) -> String; 8] = [
    |who| format!("<h1>{}</h1>", who.greeting),
    |who| format!("<td>Plan</td><td>{}</td>", who.plan),
    |who| format!("<p>mail to {}</p>", who.mask),
    |who| format!("<b id=key>{}</b>", who.hash),
    |who| format!("<span>Total: 12 {}</span>", who.currency),
    |who| format!("<img src=\"/static/avatars/{}.png\">", who.avatar),
    |who| format!("{{\"tenant\":\"{}\",\"letters\":{}}}", who.tenant, who.mask.len()),
    |who| format!("<p>{}, you have {} news, plan {}</p>", who.greeting, who.mask.len() % 7, who.plan),
];
const GREETINGS: [&str; 4] = ["Hello", "Hej", "Hola", "Salaam"];
const PLANS: [&str; 3] = ["free", "pro", "team"];
const CURRENCIES: [&str; 3] = ["EUR", "SEK", "USD"];
const AVATARS: [&str; 4] = ["default", "blue-anchor", "red-umbrella", "green-hammer"];
const TENANTS: [&str; 3] = ["main", "northwind-trading", "contoso"];

/// What is known of somebody.
#[derive(Debug, Clone)]
pub struct Person {
    greeting: &'static str,
    plan: &'static str,
    mask: String,
    pub hash: String,
    currency: &'static str,
    avatar: &'static str,
    tenant: &'static str,
}

impl Person {
    fn draw(random: &mut StdRng) -> Self {
        let mut of = |all: &[&'static str]| all[random.random_range(0..all.len())];
        let (greeting, plan, currency) = (of(&GREETINGS), of(&PLANS), of(&CURRENCIES));
        let (avatar, tenant) = (of(&AVATARS), of(&TENANTS));
        let letters = random.random_range(2..9);
        let mask = format!("{}{}@x.test", char::from(b'a' + random.random_range(0..26)), "*".repeat(letters));
        Person { greeting, plan, mask, hash: format!("{:016x}", random.random::<u64>()), currency, avatar, tenant }
    }

    /// Whom nobody knows.
    fn unknown() -> Self {
        Person {
            greeting: GREETINGS[0],
            plan: PLANS[0],
            mask: "guest".to_owned(),
            hash: "none".to_owned(),
            currency: CURRENCIES[0],
            avatar: AVATARS[0],
            tenant: TENANTS[0],
        }
    }
}

/// A server, and what it remembers.
pub struct Site {
    pub seed: u64,
    kind: Kind,
    pub people: Vec<Person>,
    shows: usize,
    noises: Vec<(&'static str, Noise)>,
    anonymous: Anonymous,
    leak: Leak,
    /// How often a leak or a fallback shows where it can.
    pub rate: f64,
    /// Whose values stand in for those that cannot be had.
    pub stand_in: usize,
    pub random: StdRng,
    /// Starts until now.
    pub life: u64,
    /// Requests until now.
    pub count: u64,
    /// How often each has asked in this life, and in what order they came.
    pub visits: Vec<u64>,
    pub order: Vec<usize>,
    last: Option<usize>,
}

/// A page in the making.
pub struct Draft {
    pub who: Option<usize>,
    /// Whose values it shows; nobody's are those of whom nobody knows.
    pub shown: Person,
    /// Others are being served.
    pub in_flight: usize,
    pub status: &'static str,
    pub headers: Vec<String>,
    pub parts: Vec<String>,
    /// In place of the whole body.
    pub body: Option<Vec<u8>>,
    pub reply: BufferedResponse,
}

/// A response.
pub struct Answer {
    pub status: u16,
    pub reply: BufferedResponse,
}

impl Site {
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x5175);
        let people: Vec<Person> = (0..random.random_range(2..=6)).map(|_| Person::draw(&mut random)).collect();
        let noises = (0..random.random_range(1..=4)).map(|_| noise::ALL[random.random_range(0..noise::ALL.len())]);
        let noises: Vec<(&str, Noise)> = noises
            .filter(|(name, _)| match kind {
                Kind::Clean => true,
                Kind::Silent => !noise::TELL.contains(name),
                Kind::Leaking => !noise::HIDE.contains(name),
            })
            .collect();
        let anonymous = [Anonymous::Refused, Anonymous::Redirected, Anonymous::Default][random.random_range(0..3)];
        let leak = [Leak::Overlapping, Leak::Stale][random.random_range(0..2)];
        // Rare as well as frequent; a leak is not so rare that no check could see it.
        let least = if kind == Kind::Leaking { -0.7 } else { -3.0 };
        let rate = 10_f64.powf(random.random_range(least..0.0));
        // What is to be found must be there to be seen: everybody has a mask or a hash of their own.
        let shows = if kind == Kind::Leaking { random.random_range(2..4) } else { random.random_range(0..SHOWN.len()) };
        let stand_in = random.random_range(0..people.len());
        let visits = vec![0; people.len()];
        Site {
            seed,
            kind,
            people,
            shows,
            noises,
            anonymous,
            leak,
            rate,
            stand_in,
            random,
            life: 0,
            count: 1000,
            visits,
            order: Vec::new(),
            last: None,
        }
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }

    pub fn describe(&self) -> String {
        let noises: Vec<&str> = self.noises.iter().map(|(name, _)| *name).collect();
        let Site { seed, kind, shows, rate, anonymous, stand_in, .. } = self;
        format!(
            "{kind:?} {seed}, shows {shows}, {noises:?}, rate {rate:.4}, anonymous {anonymous:?}, stand-in {stand_in}"
        )
    }

    /// All that it has kept is gone.
    pub fn restart(&mut self) {
        self.life += 1;
        self.visits.fill(0);
        self.order.clear();
        self.last = None;
    }

    pub fn chance(&mut self, rate: f64) -> bool {
        self.random.random_bool(rate)
    }

    /// The reply to somebody, while a `crowd` is being served, of which it is one.
    pub fn answer(&mut self, who: Option<usize>, crowd: &[Option<usize>]) -> Answer {
        self.count += 1;
        if let Some(who) = who {
            self.visits[who] += 1;
            if !self.order.contains(&who) {
                self.order.push(who);
            }
        }
        let taken_for = self.taken_for(who, crowd);
        self.last = who.or(self.last);
        let shown = taken_for.map_or_else(Person::unknown, |taken_for| self.people[taken_for].clone());
        let mut draft = Draft {
            who,
            shown,
            in_flight: crowd.len(),
            status: "200 OK",
            headers: Vec::new(),
            parts: Vec::new(),
            body: None,
            reply: BufferedResponse::default(),
        };
        for (_, noise) in self.noises.clone() {
            noise(self, &mut draft);
        }
        match (taken_for, self.anonymous) {
            (None, Anonymous::Refused) => refuse(&mut draft, "401 Unauthorized", "log in first"),
            (None, Anonymous::Redirected) => {
                draft.headers.push("Location: /login".to_owned());
                refuse(&mut draft, "302 Found", "");
            }
            _ => {}
        }
        self.finish(draft)
    }

    fn taken_for(&mut self, who: Option<usize>, crowd: &[Option<usize>]) -> Option<usize> {
        if self.kind != Kind::Leaking || !self.chance(self.rate) {
            return who;
        }
        match self.leak {
            Leak::Overlapping if crowd.is_empty() => who,
            Leak::Overlapping => crowd[self.random.random_range(0..crowd.len())].or(who),
            // Where lone replies show it, it is no secret; let it take a hurry.
            Leak::Stale => self.last.filter(|_| !crowd.is_empty()).or(who),
        }
    }

    fn finish(&self, draft: Draft) -> Answer {
        let shows = if self.kind == Kind::Silent {
            "<p>Welcome to the shop</p>".to_owned()
        } else {
            SHOWN[self.shows](&draft.shown)
        };
        let text = || {
            format!(
                "<html><title>Home</title><main>{shows}</main>{}<footer>All rights</footer></html>",
                draft.parts.concat()
            )
        };
        let body = draft.body.unwrap_or_else(|| text().into_bytes());
        let headers: String = draft.headers.iter().map(|header| format!("{header}\r\n")).collect();
        let kind = if headers.to_lowercase().contains("content-type") { "" } else { "Content-Type: text/html\r\n" };
        let head = format!(
            "HTTP/1.1 {}\r\nServer: nginx\r\n{kind}{headers}Content-Length: {}\r\n\r\n",
            draft.status,
            body.len()
        );
        let status = draft.status[..3].parse().unwrap_or(0);
        Answer { status, reply: BufferedResponse { head: head.into_bytes(), body, ..draft.reply } }
    }
}

/// Another page altogether.
pub fn refuse(draft: &mut Draft, status: &'static str, text: &str) {
    draft.status = status;
    draft.body = Some(text.as_bytes().to_vec());
}
