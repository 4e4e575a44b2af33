//! Text with holes: `/dirty/?sleep={sleep}&email={canary}`.

/// Text and holes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Hole(Placeholder),
}

/// What is filled in per request (or, for `Host`, `Port` and `Workers`, per start of a server).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A value that no other request carries.
    Canary,
    /// The number of the user, from 0.
    User,
    /// The number of the request within its user, from 0.
    Seq,
    /// Seconds, as `0.1`.
    Sleep,
    Host,
    Port,
    Workers,
    /// A column of the data file.
    Data(String),
    /// A whole number drawn evenly from a range, both ends included.
    Random(u64, u64),
    /// A field of the request's identity.
    Identity(String),
}
