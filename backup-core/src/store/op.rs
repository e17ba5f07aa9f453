/// A method of [`Store`](super::Store), where it is told of or made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StoreOp {
    /// [`Store::put`](super::Store::put).
    Put,
    /// [`Store::get`](super::Store::get).
    Get,
    /// [`Store::head`](super::Store::head).
    Head,
    /// [`Store::delete`](super::Store::delete).
    Delete,
    /// [`Store::list`](super::Store::list).
    List,
    /// [`Store::space`](super::Store::space).
    Space,
    /// [`Store::sweep`](super::Store::sweep).
    Sweep,
}

impl StoreOp {
    /// The method's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Head => "head",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Space => "space",
            Self::Sweep => "sweep",
        }
    }
}
