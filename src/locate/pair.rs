//! The choice of the pair: which line of the source's wrote what which line of the victim's read.
//!
//! The order of choice, first that applies; within each, values before containers, and earlier reads before later ones:
//!
//! 1. the victim loaded the value from a slot (an object and a key) whose last store of it was another request's, in an
//!    object that others could reach by then: `located`;
//! 2. one callee handed both the same object: `same_callee`;
//! 3. the victim loaded an object into which another request had stored the value: `located`;
//! 4. the victim loaded the value from an object that another request had stored, with the value in it: `located`;
//! 5. the slot of 1, in an object that nobody else could reach when the value was written: `located`;
//! 6. the victim loaded the very object that another request had stored, elsewhere: `probable`;
//! 7. one callee took the value from the source, and gave it to the victim: `same_callee`;
//! 8. one object, or one way to it, still holds the value at the end: `probable`;
//! 9. the line of the victim's that first met the value, with the last line of the source's that let it go, or, of a
//!    source that was given up, that touched it: `partly`.
//!
//! What is loaded only to be added to (`log += line`, `list.append(item)`) comes after what is loaded to be used.

use super::event::{Access, AccessKind, HolderPath};
use super::history::History;
use super::object::SharedObject;
use super::party::Showing;
use super::scene::{At, Scene};
use super::{Confidence, Location, NotLocated};

/// Chooses what the events of one showing tell.
pub fn locate(history: &History, showing: &Showing) -> Location {
    let Some(source) = showing.source.as_ref().filter(|source| !source.is_nobody()) else {
        return Location::not_located(NotLocated::NoSource);
    };
    if !history.is_of_a_probe() {
        return Location::not_located(NotLocated::ProbeNotLoaded);
    }
    let source = source.clone().apart_from(&showing.victim);
    let scenes: Vec<Scene<'_>> =
        history.processes.iter().map(|process| Scene::of(process, &showing.victim, &source)).collect();
    let within = scenes.iter().filter_map(Scene::pair).min_by_key(|pair| pair.rank());
    let location = match within {
        Some(pair) if pair.write.is_some() => Some(pair.location()),
        // The other end may be in another process.
        alone => apart(&scenes).or_else(|| alone.map(Pair::location)),
    };
    location.unwrap_or_else(|| Location::not_located(why_not(history, &scenes)))
}

fn why_not(history: &History, scenes: &[Scene<'_>]) -> NotLocated {
    match () {
        () if history.dropped() > 0 => NotLocated::EventsLost,
        () if scenes.iter().all(|scene| scene.victims.is_empty()) => NotLocated::RequestNotSeen,
        () => NotLocated::NotInOwnCode,
    }
}

/// A write and a read that belong together.
struct Pair<'a> {
    scene: &'a Scene<'a>,
    confidence: Confidence,
    /// See the head of this module.
    choice: u8,
    object: Option<SharedObject>,
    write: Option<At<'a>>,
    overwritten: Option<At<'a>>,
    read: Option<At<'a>>,
}

impl<'a> Scene<'a> {
    /// The surest pair of this process.
    fn pair(&'a self) -> Option<Pair<'a>> {
        let slots = self.reads().filter_map(|read| self.by_slot(read));
        let callees = self.reads().filter_map(|read| self.by_callee(read));
        let contents = self.reads().filter_map(|read| self.by_content(read));
        let identities = self.reads().filter_map(|read| self.by_identity(read));
        slots.chain(callees).chain(contents).chain(identities).min_by_key(Pair::rank).or_else(|| self.by_holder())
    }

    /// The last store of the value into the slot that was read.
    fn by_slot(&'a self, read: At<'a>) -> Option<Pair<'a>> {
        let slot = Slot::read_by(read.1)?;
        let holds = |at: &At<'a>| at.0 < read.0 && slot.is_of(at.1);
        let is_write = |at: &At<'a>| self.source.owns_any(&at.1.canaries) && !self.adds(*at);
        let write = self.accesses().rev().filter(holds).find(is_write)?;
        // Its own request may have copied the value there, from where it was read before.
        if self.is_victims(write) {
            return None;
        }
        Some(Pair {
            scene: self,
            confidence: Confidence::Located,
            choice: if write.1.is_local && read.1.is_local { 5 } else { 1 },
            object: Some(SharedObject::between(write.1, read.1)),
            write: Some(write),
            overwritten: self.overwritten(write),
            read: Some(read),
        })
    }

    /// Whether this is a part of adding to what is there: the victim's request loads and stores it on one line.
    fn adds(&self, at: At<'a>) -> bool {
        let object = |access: &Access| match (access.kind, access.manner.as_str()) {
            (AccessKind::Store, _) | (AccessKind::Load, "augmented") => access.object,
            _ => access.values.first().copied(),
        };
        let one_line = |other: &At<'a>| {
            let pair = [at.1.kind, other.1.kind];
            let both = pair.contains(&AccessKind::Load) && pair.contains(&AccessKind::Store);
            let line = at.1.place.line == other.1.place.line && at.1.place.file == other.1.place.file;
            both && line && object(at.1).is_some() && object(at.1) == object(other.1)
        };
        // A local variable was read from somewhere before.
        if at.1.manner == "local" {
            return true;
        }
        let is_part = at.1.manner == "augmented" || at.1.manner == "call" || at.1.kind == AccessKind::Load;
        self.is_victims(at) && is_part && self.accesses().any(|other| self.is_victims(other) && one_line(&other))
    }

    /// What the victim had stored of its own where it was written over.
    fn overwritten(&self, write: At<'a>) -> Option<At<'a>> {
        let slot = Slot::read_by(write.1).filter(|slot| slot.key.is_some())?;
        let is_own = |at: &At<'a>| self.is_victims(*at) && self.victim.owns_any(&at.1.canaries);
        let exact = |at: &At<'a>| slot.is_of(at.1) && at.1.key.is_some();
        self.accesses().rev().find(|at| at.0 < write.0 && exact(at) && is_own(at))
    }

    /// The last store of the value into the object that was read, or of the object that it was read from.
    fn by_content(&'a self, read: At<'a>) -> Option<Pair<'a>> {
        let is_call = read.1.kind == AccessKind::Call;
        // Where the way within the value is known, its keys count too.
        let given = |write: &Access, object: u64| match read.1.inner.as_slice() {
            _ if is_call => read.1.object == Some(object),
            [] => read.1.values.contains(&object),
            way => {
                way.iter().any(|(of, key)| *of == object && (key.is_none() || write.key.is_none() || *key == write.key))
            }
        };
        let into_it = |write: &Access| write.object.is_some_and(|object| given(write, object));
        let filled = |at: &At<'a>| {
            let stored = at.1.kind == AccessKind::Store && self.source.owns_any(&at.1.canaries);
            let with_it = !is_call && read.1.object.is_some_and(|object| at.1.values.contains(&object));
            at.0 < read.0 && stored && (into_it(at.1) || with_it)
        };
        let write = self.accesses().rev().find(filled).filter(|write| !self.is_victims(*write))?;
        Some(Pair {
            scene: self,
            confidence: Confidence::Located,
            choice: if into_it(write.1) { 3 } else { 4 },
            object: Some(match into_it(write.1) {
                true => SharedObject::filled(write.1, read.1),
                false => SharedObject::between(write.1, write.1),
            }),
            write: Some(write),
            overwritten: self.overwritten(write),
            read: Some(read),
        })
    }

    /// The last store of the very object that was read, wherever that was.
    fn by_identity(&'a self, read: At<'a>) -> Option<Pair<'a>> {
        let values = Some(&read.1.values).filter(|values| read.1.kind == AccessKind::Load && !values.is_empty())?;
        let same = |at: &At<'a>| at.1.values.iter().any(|value| values.contains(value));
        let write = self.accesses().rev().find(|at| {
            at.0 < read.0 && at.1.kind == AccessKind::Store && self.source.owns_any(&at.1.canaries) && same(at)
        })?;
        let held = |path: &HolderPath| path.object.is_some_and(|object| values.contains(&object));
        let path = self.holders().into_iter().find(|path| held(path));
        Some(Pair {
            scene: self,
            confidence: Confidence::Probable,
            choice: 6,
            object: Some(match path {
                Some(path) => SharedObject::at(&path.path, path.type_name.as_deref()),
                None => SharedObject::between(read.1, read.1),
            }),
            write: Some(write).filter(|write| !self.is_victims(*write)),
            overwritten: None,
            read: Some(read),
        })
        .filter(|pair| pair.write.is_some())
    }

    /// A call of the source's to what gave the victim the value: the same result, or a value that went in.
    fn by_callee(&'a self, read: At<'a>) -> Option<Pair<'a>> {
        let call = Some(read.1).filter(|access| access.kind == AccessKind::Call)?;
        // What a call is given it may give back: that is no way from one request to another.
        if self.source.owns_any(&call.argument_canaries) || self.ran(read) {
            return None;
        }
        let before = |at: &At<'a>| at.0 < read.0 && self.is_sources(*at);
        let same = |one: Option<u64>, other: Option<u64>| one.is_some() && one == other;
        let gave = |at: &At<'a>| {
            let held = self.source.owns_any(&at.1.canaries);
            let one_callee = at.1.callee == call.callee && at.1.callee.is_some();
            held && match at.1.kind {
                AccessKind::Call => one_callee && same(at.1.object, call.object),
                AccessKind::Store => call.object.is_some_and(|result| at.1.values.contains(&result)),
                AccessKind::Load => false,
            }
        };
        let took = |at: &At<'a>| {
            let other = at.1.object.is_some() && call.object.is_some() && at.1.object != call.object;
            let one_text = at.1.callee.is_some() && at.1.callee == call.callee && !other;
            let went_in = self.source.owns_any(&at.1.argument_canaries) && same(at.1.callee_object, call.callee_object);
            at.1.kind == AccessKind::Call && (went_in || one_text && self.source.owns_any(&at.1.canaries))
        };
        let last = |is_one: &dyn Fn(&At<'a>) -> bool| self.accesses().rev().filter(before).find(is_one);
        let (choice, write) = match last(&gave) {
            Some(write) => (2, write),
            None => (7, last(&took)?),
        };
        Some(Pair {
            scene: self,
            confidence: Confidence::SameCallee,
            choice,
            object: Some(SharedObject::handed_out(write.1, read.1)),
            write: Some(write),
            overwritten: None,
            read: Some(read),
        })
    }

    /// Whether the callee is a function of the application that ran for this call: then what it did is known, and it is not
    /// where the value was kept.
    fn ran(&self, call: At<'_>) -> bool {
        let last = |name: &str| name.rsplit(['.', ' ']).next().unwrap_or_default().to_owned();
        let Some(callee) = call.1.callee.as_deref().map(last).filter(|callee| !callee.is_empty()) else { return false };
        self.accesses()
            .any(|at| at.0 < call.0 && self.request(at) == self.request(call) && last(&at.1.place.function) == callee)
    }

    /// What still holds the value when the victim has been answered.
    fn by_holder(&'a self) -> Option<Pair<'a>> {
        let read = self.reads().next().or_else(|| self.given());
        let paths = self.holders();
        let written = |path: &HolderPath| {
            let same = |at: &At<'a>| path.object.is_some() && at.1.object == path.object;
            self.last_of_source(read, |at| at.1.kind == AccessKind::Store && same(&at))
        };
        if let Some((path, write)) = paths.iter().find_map(|path| Some((*path, written(path)?))) {
            let object = SharedObject::between(write.1, write.1);
            let object = SharedObject { path: object.path.or_else(|| Some(path.path.clone())), ..object };
            return Some(self.unconnected(Confidence::Probable, Some(object), Some(write), read));
        }
        let let_go = self.last_of_source(read, |at| self.lets_go(at));
        // One that was given up got no further than that.
        let write = let_go.or_else(|| self.last_of_source(read, |at| !self.is_answered(at)));
        match (paths.as_slice(), read) {
            ([only], Some(read)) => {
                let object = SharedObject::at(&only.path, only.type_name.as_deref());
                Some(self.unconnected(Confidence::Probable, Some(object), write, Some(read)))
            }
            (_, Some(read)) => Some(self.unconnected(Confidence::Partly, None, write, Some(read))),
            // A line of the source's alone would accuse whatever it writes.
            (_, None) => None,
        }
    }

    fn unconnected(
        &'a self,
        confidence: Confidence,
        object: Option<SharedObject>,
        write: Option<At<'a>>,
        read: Option<At<'a>>,
    ) -> Pair<'a> {
        // Without both lines nobody can follow the value.
        let whole = write.is_some() && read.is_some();
        let (confidence, choice) = match confidence {
            Confidence::Probable if whole => (confidence, 8),
            _ => (Confidence::Partly, 9),
        };
        Pair { scene: self, confidence, choice, object, write, overwritten: None, read }
    }
}

/// Where a value is kept: an object, and the key in it if that is known.
struct Slot<'a> {
    object: u64,
    key: Option<&'a str>,
    /// It was read by a call, as in `queue.pop()`: only what a call has put there comes out.
    by_call: bool,
}

impl<'a> Slot<'a> {
    fn read_by(access: &'a Access) -> Option<Slot<'a>> {
        let by_call = access.kind == AccessKind::Call;
        match by_call {
            false => Some(Slot { object: access.object?, key: access.key.as_deref(), by_call }),
            true => Some(Slot { object: access.callee_object?, key: None, by_call }),
        }
    }

    fn is_of(&self, write: &Access) -> bool {
        let key = write.key.as_deref();
        write.kind == AccessKind::Store
            && write.object == Some(self.object)
            && (!self.by_call || write.manner == "call")
            && (key.is_none() || self.key.is_none() || key == self.key)
    }
}

impl Pair<'_> {
    /// The least is the best.
    fn rank(&self) -> (bool, u8, bool, bool, usize) {
        let is_node = self.scene.process.language() == Some("node");
        let adds = self.read.is_some_and(|read| self.scene.adds(read));
        let filled_before_it_was_shared = self.write.is_some_and(|(_, access)| access.is_local);
        // A probe of Node tells of objects alone what they are; that of Python, the way to the value within them.
        let is_container = |access: &Access| !access.inner.is_empty() || is_node && !access.values.is_empty();
        let container = self.read.is_some_and(|(_, access)| access.canaries.len() > 1 || is_container(access));
        (adds, self.choice, container, filled_before_it_was_shared, self.read.map_or(usize::MAX, |(index, _)| index))
    }

    fn location(self) -> Location {
        let moment = |at: Option<At<'_>>| at.map(|at| self.scene.moment(at));
        Location {
            confidence: self.confidence,
            reason: None,
            language: self.scene.process.language().map(str::to_owned),
            write: moment(self.write),
            overwritten: moment(self.overwritten),
            read: moment(self.read),
            object: self.object,
        }
    }
}

/// The victim in one process and the source in another: what is between them is outside of both.
fn apart(scenes: &[Scene<'_>]) -> Option<Location> {
    let (reader, read) = scenes.iter().find_map(|scene| Some((scene, scene.reads().next()?)))?;
    let writer = scenes.iter().find(|scene| !scene.sources.is_empty());
    let write = writer.and_then(|scene| Some(scene.moment(scene.last_of_source(None, |at| scene.lets_go(at))?)));
    Some(Location {
        confidence: Confidence::Partly,
        reason: None,
        language: reader.process.language().map(str::to_owned),
        object: None,
        write,
        overwritten: None,
        read: Some(reader.moment(read)),
    })
}

#[cfg(test)]
mod tests;
