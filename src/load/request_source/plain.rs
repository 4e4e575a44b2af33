//! The scenario's own request: prebuilt bytes, with what varies filled in. Nothing looks at the responses.

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::errors::FirstErrors;
use super::{Outgoing, RequestSource, SourceOfUsers, Turn};
use crate::exchange::Exchange;
use crate::load::rng::{self, RandomStream};
use crate::load::thread_plan::ThreadPlan;
use crate::net::request::{PreparedRequest, append};
use crate::scenario::Data;
use crate::scenario::template::Placeholder;
use crate::traceparent::{TraceContext, TraceOrigin};

/// What the slots of a user's next request are filled with.
pub(super) struct SlotFiller<'a> {
    pub number: u32,
    pub seq: u64,
    /// From one request to the next: the places of a batch have those of their user in turn.
    step: u64,
    seed: u64,
    random: SmallRng,
    data: Option<&'a Data>,
}

impl<'a> SlotFiller<'a> {
    pub fn in_place(plan: &'a ThreadPlan, number: u32, place: u32) -> Self {
        let random = rng::stream(plan.seed, RandomStream::Slots, (number, place.into()));
        let (seq, step) = (u64::from(place), u64::from(plan.pipeline));
        SlotFiller { number, seq, step, seed: plan.seed, random, data: plan.data.as_deref() }
    }

    /// Goes on to the next request.
    pub fn advance(&mut self) {
        self.seq += self.step;
    }

    /// The number of the request before.
    pub fn last(&self) -> u64 {
        self.seq - self.step
    }

    /// A value that no other request carries: its user and its number.
    fn unique(&self) -> u64 {
        u64::from(self.number) << 40 | self.seq
    }

    pub fn fill(&mut self, placeholder: &Placeholder, out: &mut Vec<u8>) {
        let value = match placeholder {
            Placeholder::User => u64::from(self.number),
            Placeholder::Seq => self.seq,
            Placeholder::Random(low, high) => self.random.random_range(*low..=*high),
            Placeholder::Canary | Placeholder::CanaryAs(_) | Placeholder::IdentityCanary => self.unique(),
            Placeholder::Traceparent => {
                let context = TraceContext::of(self.seed, TraceOrigin::Load, self.unique());
                return out.extend_from_slice(&context.header());
            }
            Placeholder::Data(column) => {
                return self.data.map_or((), |data| data.write(self.number, column, out));
            }
            // Nothing: the same in every request, or refused when the scenario was read.
            Placeholder::Sleep
            | Placeholder::Host
            | Placeholder::Port
            | Placeholder::Workers
            | Placeholder::Socket
            | Placeholder::Fd
            | Placeholder::Identity(_)
            | Placeholder::Token
            | Placeholder::Capture(_) => return,
        };
        append(out, format_args!("{value}"));
    }
}

/// The scenario's own requests: all that makes them is in the plan.
pub(in crate::load) struct OwnRequests;

impl SourceOfUsers for OwnRequests {
    type OfUser<'a> = PlainSource<'a>;

    fn of_user<'a>(&'a self, plan: &'a ThreadPlan, number: u32) -> PlainSource<'a> {
        PlainSource::in_place(plan, number, 0)
    }
}

/// The requests of a user without a script.
pub(in crate::load) struct PlainSource<'a> {
    plan: &'a ThreadPlan,
    /// What is sent, one of each kind.
    requests: &'a [PreparedRequest],
    slots: SlotFiller<'a>,
    kind: usize,
    request: Vec<u8>,
    errors: FirstErrors,
}

impl<'a> PlainSource<'a> {
    fn in_place(plan: &'a ThreadPlan, number: u32, place: u32) -> Self {
        let slots = SlotFiller::in_place(plan, number, place);
        PlainSource {
            plan,
            requests: plan.requests_of(number),
            slots,
            kind: 0,
            request: Vec::new(),
            errors: FirstErrors::default(),
        }
    }
}

impl RequestSource for PlainSource<'_> {
    type Sink = FirstErrors;

    fn sibling(&self, place: u32) -> Self {
        PlainSource::in_place(self.plan, self.slots.number, place)
    }

    fn kind(&self) -> usize {
        self.kind
    }

    /// Writes the request, if it differs from the last of its kind.
    fn prepare(&mut self) -> Turn {
        let PlainSource { plan, requests, slots, request, .. } = self;
        self.kind = plan.draw_kind(slots.number, slots.seq);
        let prepared = &requests[self.kind];
        if prepared.constant().is_none() {
            request.clear();
            prepared.write(request, &mut |placeholder, out| slots.fill(placeholder, out));
        }
        slots.advance();
        Turn::Now
    }

    fn outgoing(&mut self) -> (Outgoing<'_>, &mut FirstErrors) {
        let prepared = &self.requests[self.kind];
        let bytes = prepared.constant().unwrap_or(&self.request);
        let PreparedRequest { head_only, waits, idempotent, closes, .. } = *prepared;
        let outgoing = Outgoing { bytes, head_only, waits, idempotent, closes };
        (outgoing, &mut self.errors)
    }

    fn error(&mut self) -> Option<&[u8]> {
        self.errors.take()
    }

    fn judge(&mut self, _exchange: &Exchange) {}
}
