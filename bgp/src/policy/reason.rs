//! Why a policy refused a route.

macro_rules! reject_reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// Why a policy refused a route. Codes and names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum RejectReason { $($(#[$doc])* $variant = $code,)* }

        impl RejectReason {
            /// Every reason, ascending by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The unique name used in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The small code stored beside a route.
            pub const fn code(self) -> u8 {
                self as u8
            }
        }
    };
}

reject_reasons! {
    /// A term of a policy that gave no more precise reason.
    Policy = 0, "policy";
    /// Nothing is imported from this peer.
    ImportNone = 1, "import_none";
    /// The prefix is inside no pool.
    OutsidePools = 2, "outside_pools";
    /// The prefix equals one of our own blocks.
    OwnBlock = 3, "own_block";
    /// A tunnel would be needed to a next hop that is no known node.
    UnknownTunnelNextHop = 4, "unknown_tunnel_next_hop";
    /// Nothing is exported to this peer.
    ExportNone = 5, "export_none";
    /// Only our own blocks are exported to this peer.
    NotOwnBlock = 6, "not_own_block";
    /// The pool that contains the prefix is not exported.
    PoolNotExported = 7, "pool_not_exported";
    /// The policy asks for the interface that leads to the peer, and which one does is not known yet.
    InterfacePending = 8, "interface_pending";
}
