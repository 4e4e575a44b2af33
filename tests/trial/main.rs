//! Imports judged from outside: bodies by a validator of JSON Schema, lines of curl by curl itself, whole folders of documents
//! by time and by what is left out.

mod bodies;
mod curl;
mod folder;
