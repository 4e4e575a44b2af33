//! Imports judged from outside: bodies by a validator of JSON Schema, lines of curl by curl itself, whole folders of documents
//! by time and by what is left out. And runs of the library, by what they send.

mod bodies;
mod curl;
mod folder;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod harness;
mod rounds;
