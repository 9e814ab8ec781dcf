//! AS_PATH (RFC 4271 section 5.1.2, RFC 5065, RFC 6793).

mod edit;

use std::fmt;

use super::context::SegmentRule;
use crate::types::Asn;

/// AS_PATH in its 4-octet wire form, validated: segments of (type, count, count ASNs).
///
/// Every segment is of a known type and has 1 to 255 AS numbers, none of which is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath(Box<[u8]>);

/// Type of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// AS_SET: unordered (RFC 4271 section 4.3).
    Set = 1,
    /// AS_SEQUENCE: ordered (RFC 4271 section 4.3).
    Sequence = 2,
    /// AS_CONFED_SEQUENCE (RFC 5065 section 3).
    ConfedSequence = 3,
    /// AS_CONFED_SET (RFC 5065 section 3).
    ConfedSet = 4,
}

impl SegmentKind {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Set,
            2 => Self::Sequence,
            3 => Self::ConfedSequence,
            4 => Self::ConfedSet,
            _ => return None,
        })
    }

    fn is_confederation(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }

    fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::Sequence => ("", ""),
            Self::Set => ("{", "}"),
            Self::ConfedSequence => ("(", ")"),
            Self::ConfedSet => ("[", "]"),
        }
    }
}

/// One segment of an AS_PATH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its type.
    pub kind: SegmentKind,
    asns: &'a [[u8; 4]],
}

impl<'a> Segment<'a> {
    /// Its AS numbers, 1 to 255.
    pub fn asns(self) -> impl DoubleEndedIterator<Item = Asn> + ExactSizeIterator + 'a {
        self.asns.iter().map(|octets| Asn(u32::from_be_bytes(*octets)))
    }

    /// What it adds to the length of the path (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3).
    fn path_length(self) -> usize {
        match self.kind {
            SegmentKind::Sequence => self.asns.len(),
            SegmentKind::Set => 1,
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        }
    }
}

/// Size of the AS numbers of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsnSize {
    Two = 2,
    Four = 4,
}

impl AsnSize {
    pub(super) fn of(four_octet_asn: bool) -> Self {
        if four_octet_asn { Self::Four } else { Self::Two }
    }
}

/// Which disputed segments a received path may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentRules {
    pub(super) sets: SegmentRule,
    pub(super) confederation: SegmentRule,
}

/// Why bytes are no AS_PATH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AsPathError {
    /// A segment runs past the end, or one octet is left over.
    #[error("a segment runs past the end of the path")]
    Overrun,
    /// Unknown segment type.
    #[error("unknown segment type")]
    SegmentType,
    /// A segment without AS numbers, or with more than 255.
    #[error("a segment is empty or too long")]
    SegmentLength,
    /// AS 0 (RFC 7607).
    #[error("AS 0 in the path")]
    AsZero,
    /// AS_CONFED segment from outside a confederation (RFC 5065 section 5).
    #[error("confederation segment from outside the confederation")]
    Confederation,
    /// AS_SET that is not wanted (RFC 9774 section 3).
    #[error("AS_SET, which is deprecated")]
    Set,
}

impl AsPath {
    /// A path of one AS_SEQUENCE, split where it is longer than 255; empty for no AS numbers.
    ///
    /// # Errors
    /// [`AsPathError::AsZero`].
    pub fn from_sequence(asns: &[Asn]) -> Result<Self, AsPathError> {
        let mut wire = Vec::new();
        for part in asns.chunks(255) {
            put_segment(SegmentKind::Sequence, part.iter().copied(), &mut wire)?;
        }
        Ok(Self(wire.into()))
    }

    /// A path of these segments.
    ///
    /// # Errors
    /// [`AsPathError::SegmentLength`] or [`AsPathError::AsZero`].
    pub fn from_segments(segments: &[(SegmentKind, Vec<Asn>)]) -> Result<Self, AsPathError> {
        let mut wire = Vec::new();
        for (kind, asns) in segments {
            put_segment(*kind, asns.iter().copied(), &mut wire)?;
        }
        Ok(Self(wire.into()))
    }

    /// The 4-octet wire form, the value of the attribute towards a speaker of RFC 6793.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no segment: the route was originated inside the AS.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (segment, after) = split_segment(rest)?;
            rest = after;
            Some(segment)
        })
    }

    /// Length for the Decision Process: an AS_SET counts 1, confederation segments nothing (RFC 4271
    /// section 9.1.2.2 a, RFC 5065 section 5.3).
    pub fn path_length(&self) -> usize {
        self.segments().fold(0, |sum, segment| sum.saturating_add(segment.path_length()))
    }

    /// Every AS number in order of appearance.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.segments().flat_map(Segment::asns)
    }

    /// Whether the AS number occurs anywhere: the loop test of RFC 4271 section 9.1.2.
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|a| a == asn)
    }

    /// The AS number that stands first, whatever its segment.
    pub fn first(&self) -> Option<Asn> {
        self.asns().next()
    }

    /// The AS the route was received from: the first AS number of the path when it begins with an
    /// AS_SEQUENCE, confederation segments aside. MULTI_EXIT_DISC is comparable between routes of the same
    /// neighbor AS (RFC 4271 section 9.1.2.2 c).
    pub fn neighbor(&self) -> Option<Asn> {
        let first = self.segments().find(|s| !s.kind.is_confederation())?;
        (first.kind == SegmentKind::Sequence).then(|| first.asns().next())?
    }

    /// The AS that originated the route: the last AS number, unless the path ends in a set (RFC 6811
    /// section 2).
    pub fn origin(&self) -> Option<Asn> {
        let last = self.segments().filter(|s| !s.kind.is_confederation()).last()?;
        (last.kind == SegmentKind::Sequence).then(|| last.asns().next_back())?
    }

    /// The path with `asn` put before it `count` times (RFC 4271 section 5.1.2): into the first segment
    /// while that is an AS_SEQUENCE with room, else into new ones. AS 0 is not put into a path (RFC 7607).
    #[must_use]
    pub fn prepend(&self, asn: Asn, count: u8) -> Self {
        if asn == Asn(0) || count == 0 {
            return self.clone();
        }
        let (mut head, rest) = match split_segment(&self.0) {
            Some((first, rest)) if first.kind == SegmentKind::Sequence => (first.asns.to_vec(), rest),
            _ => (Vec::new(), self.0.as_ref()),
        };
        head.splice(..0, std::iter::repeat_n(asn.0.to_be_bytes(), count.into()));
        let mut wire = Vec::with_capacity(self.0.len().saturating_add(usize::from(count).saturating_mul(4)));
        // Full segments come last, so that the next prepend finds room in the first.
        let (first, full) = head.split_at(head.len().checked_rem(255).unwrap_or_default());
        for part in std::iter::once(first).filter(|p| !p.is_empty()).chain(full.chunks(255)) {
            wire.extend_from_slice(&[SegmentKind::Sequence as u8, u8::try_from(part.len()).unwrap_or(255)]);
            wire.extend_from_slice(part.as_flattened());
        }
        wire.extend_from_slice(rest);
        Self(wire.into())
    }

    /// Reads an attribute value.
    pub(super) fn decode(value: &[u8], size: AsnSize, rules: SegmentRules) -> Result<Self, AsPathError> {
        validate(value, size, rules)?;
        Ok(Self(match size {
            AsnSize::Four => value.into(),
            AsnSize::Two => widen(value).into(),
        }))
    }

    /// The path without confederation segments, which AS4_PATH must not have (RFC 6793 section 3).
    pub(super) fn without_confederation(self) -> Self {
        if !self.segments().any(|s| s.kind.is_confederation()) {
            return self;
        }
        let mut wire = Vec::with_capacity(self.0.len());
        self.segments()
            .filter(|s| !s.kind.is_confederation())
            .for_each(|s| put_raw(s.kind, s.asns, &mut wire));
        Self(wire.into())
    }

    /// Puts the leading part of this 2-octet path before `as4_path` (RFC 6793 section 4.2.3): as many AS
    /// numbers as it is longer. A longer AS4_PATH is ignored.
    pub(super) fn merge(self, as4_path: &Self) -> Self {
        let Some(mut missing) = self.path_length().checked_sub(as4_path.path_length()) else { return self };
        let mut wire = Vec::with_capacity(self.0.len());
        for segment in self.segments() {
            if missing == 0 && !segment.kind.is_confederation() {
                break;
            }
            let take = match segment.kind {
                SegmentKind::Sequence => missing.min(segment.asns.len()),
                _ => segment.asns.len(),
            };
            put_raw(segment.kind, segment.asns.get(..take).unwrap_or_default(), &mut wire);
            missing = missing.saturating_sub(segment.path_length());
        }
        append_path(as4_path, &mut wire);
        Self(wire.into())
    }

    /// Appends the value for a 2-octet speaker, with AS_TRANS where a number needs four octets.
    pub(super) fn put_two_octets(&self, out: &mut Vec<u8>) {
        for segment in self.segments() {
            out.extend_from_slice(&[segment.kind as u8, u8::try_from(segment.asns.len()).unwrap_or(255)]);
            segment.asns().for_each(|asn| out.extend_from_slice(&asn.as_two_octets().to_be_bytes()));
        }
    }

    /// Whether an AS number does not fit in two octets.
    pub(super) fn needs_four_octets(&self) -> bool {
        self.asns().any(|asn| asn.0 > u32::from(u16::MAX))
    }
}

/// `64512 65001 {1 2}`; confederation sequences in `( )`, confederation sets in `[ ]`.
impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments().enumerate() {
            let (open, close) = segment.kind.brackets();
            f.write_str(if i == 0 { "" } else { " " })?;
            f.write_str(open)?;
            for (j, asn) in segment.asns().enumerate() {
                write!(f, "{}{asn}", if j == 0 { "" } else { " " })?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

fn put_segment(
    kind: SegmentKind,
    asns: impl ExactSizeIterator<Item = Asn>,
    wire: &mut Vec<u8>,
) -> Result<(), AsPathError> {
    let count = u8::try_from(asns.len()).map_err(|_| AsPathError::SegmentLength)?;
    if count == 0 {
        return Err(AsPathError::SegmentLength);
    }
    wire.extend_from_slice(&[kind as u8, count]);
    for asn in asns {
        if asn == Asn(0) {
            return Err(AsPathError::AsZero);
        }
        wire.extend_from_slice(&asn.0.to_be_bytes());
    }
    Ok(())
}

fn put_raw(kind: SegmentKind, asns: &[[u8; 4]], wire: &mut Vec<u8>) {
    if let Ok(count @ 1..) = u8::try_from(asns.len()) {
        wire.extend_from_slice(&[kind as u8, count]);
        wire.extend_from_slice(asns.as_flattened());
    }
}

/// Appends a path, joining its first AS_SEQUENCE to a path that is just one, where they fit together: the
/// cut that the merge makes inside a segment leaves no trace.
fn append_path(path: &AsPath, wire: &mut Vec<u8>) {
    let joined = match (split_segment(wire), split_segment(&path.0)) {
        (Some((last, [])), Some((first, rest)))
            if last.kind == SegmentKind::Sequence && first.kind == SegmentKind::Sequence =>
        {
            u8::try_from(last.asns.len().saturating_add(first.asns.len()))
                .ok()
                .map(|count| (count, first.asns.as_flattened(), rest))
        }
        _ => None,
    };
    match joined {
        Some((count, asns, rest)) => {
            if let Some(field) = wire.get_mut(1) {
                *field = count;
            }
            wire.extend_from_slice(asns);
            wire.extend_from_slice(rest);
        }
        None => wire.extend_from_slice(&path.0),
    }
}

/// The first segment of a valid 4-octet path, and what follows.
fn split_segment(wire: &[u8]) -> Option<(Segment<'_>, &[u8])> {
    let [kind, count, rest @ ..] = wire else { return None };
    let (asns, rest) = rest.split_at_checked(usize::from(*count).checked_mul(4)?)?;
    Some((Segment { kind: SegmentKind::from_code(*kind)?, asns: asns.as_chunks().0 }, rest))
}

/// RFC 7606 section 7.2 and RFC 7607.
fn validate(mut value: &[u8], size: AsnSize, rules: SegmentRules) -> Result<(), AsPathError> {
    while let [kind, rest @ ..] = value {
        let kind = SegmentKind::from_code(*kind).ok_or(AsPathError::SegmentType)?;
        let (count, rest) = rest.split_first().ok_or(AsPathError::Overrun)?;
        if *count == 0 {
            return Err(AsPathError::SegmentLength);
        }
        let octets = usize::from(*count).saturating_mul(size as usize);
        let (asns, rest) = rest.split_at_checked(octets).ok_or(AsPathError::Overrun)?;
        if asns.chunks_exact(size as usize).any(|asn| asn.iter().all(|octet| *octet == 0)) {
            return Err(AsPathError::AsZero);
        }
        if kind.is_confederation() && rules.confederation == SegmentRule::TreatAsWithdraw {
            return Err(AsPathError::Confederation);
        }
        if matches!(kind, SegmentKind::Set | SegmentKind::ConfedSet)
            && rules.sets == SegmentRule::TreatAsWithdraw
        {
            return Err(AsPathError::Set);
        }
        value = rest;
    }
    Ok(())
}

/// Turns a valid 2-octet value into the 4-octet form.
fn widen(mut value: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(value.len().saturating_mul(2));
    while let [kind, count, rest @ ..] = value {
        wire.extend_from_slice(&[*kind, *count]);
        let octets = usize::from(*count).saturating_mul(2);
        let (asns, rest) = rest.split_at_checked(octets).unwrap_or((rest, &[]));
        asns.as_chunks().0.iter().for_each(|[high, low]| wire.extend_from_slice(&[0, 0, *high, *low]));
        value = rest;
    }
    wire
}

#[cfg(test)]
mod tests;
