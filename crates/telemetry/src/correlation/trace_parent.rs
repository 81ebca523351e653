//! The `traceparent` header of W3C Trace Context, level 1: which trace a request belongs to.

use std::fmt;

use uuid::Uuid;

/// The flag that the caller records this trace.
const SAMPLED: u8 = 0x01;
/// The flag that the trace id is random (level 2); kept because it says something about an id that is kept.
const RANDOM: u8 = 0x02;
/// Characters of version 00; a later version may be longer.
const LENGTH: usize = 55;

/// A position in a trace: the trace and the span that is the parent of what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// A new trace that nobody records.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            trace_id: Uuid::new_v4().as_u128(),
            span_id: random_span(),
            flags: 0,
        }
    }

    /// Reads a header. None when it is malformed, or says zero for the trace or the span: the standard then asks
    /// for a new trace.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        let version = hex(text.get(0..2)?)?;
        let rest_is_right = match version {
            0 => text.len() == LENGTH,
            255 => false,
            // A version from the future: what we know of comes first, and what follows is set off by a dash.
            _ => text.len() == LENGTH || text.get(LENGTH..)?.starts_with('-'),
        };
        let dashes = [2, 35, 52].iter().all(|at| text.get(*at..at + 1) == Some("-"));
        if !rest_is_right || !dashes {
            return None;
        }
        let trace_id = hex(text.get(3..35)?)?;
        let span_id = u64::try_from(hex(text.get(36..52)?)?).ok()?;
        let flags = u8::try_from(hex(text.get(53..55)?)?).ok()?;
        // Flags that we do not know are not passed on; of a future version only the first is known.
        let known = if version == 0 { SAMPLED | RANDOM } else { SAMPLED };
        (trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            flags: flags & known,
        })
    }

    /// The caller's position if the header is well-formed, else a new trace.
    #[must_use]
    pub fn accept(header: Option<&[u8]>) -> Self {
        header.and_then(Self::parse).unwrap_or_else(Self::fresh)
    }

    /// The next position in the same trace: our own span, below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: random_span(),
            ..*self
        }
    }

    /// The trace, as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span, as 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }
}

/// As the header has it, in version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

/// Lower-case digits only: the standard says so, and the library would take a sign too.
fn hex(digits: &str) -> Option<u128> {
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    digits.bytes().all(lower).then_some(())?;
    u128::from_str_radix(digits, 16).ok()
}

/// The second half of a random UUID. Its variant bits are never all zero, and zero is no span.
fn random_span() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::TraceParent;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_standards_example_is_read_and_written() {
        let read = TraceParent::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(read.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(read.span_id(), "b7ad6b7169203331");
        assert_eq!(read.to_string(), EXAMPLE);
    }

    #[test]
    fn what_the_standard_calls_invalid_is_refused() {
        for header in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-éaf7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
        ] {
            assert_eq!(TraceParent::parse(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn a_future_version_is_read_as_far_as_it_is_known_and_written_as_version_00() {
        for header in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what the future will be like",
        ] {
            let read = TraceParent::parse(header.as_bytes()).unwrap();
            assert_eq!(read.to_string(), EXAMPLE);
        }
    }

    #[test]
    fn a_child_stays_in_the_trace_and_has_its_own_span() {
        let parent = TraceParent::parse(EXAMPLE.as_bytes()).unwrap();
        let child = parent.child();
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child.span_id(), parent.span_id());
        assert!(child.to_string().ends_with("-01"));
    }

    #[test]
    fn without_a_usable_header_a_trace_begins_that_is_not_recorded() {
        let begun = TraceParent::accept(Some(b"nonsense"));
        assert!(begun.to_string().ends_with("-00"));
        assert_eq!(TraceParent::parse(begun.to_string().as_bytes()), Some(begun));
        assert_ne!(TraceParent::accept(None), TraceParent::accept(None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags in 0..4u8) {
            let written = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            let read = TraceParent::parse(written.as_bytes());
            prop_assert_eq!(read.map(|r| r.to_string()), Some(written));
        }

        #[test]
        fn whatever_is_read_is_written_in_a_form_that_is_read_the_same(header in any::<Vec<u8>>()) {
            if let Some(read) = TraceParent::parse(&header) {
                prop_assert_eq!(TraceParent::parse(read.to_string().as_bytes()), Some(read));
            }
        }

        #[test]
        fn nearly_right_headers_never_bring_it_down(
            header in "[0-9a-f]{2}-[0-9a-fA-F]{31,33}[-é]{1,2}[0-9a-f]{15,17}-[0-9a-f]{1,3}(-.{0,4})?"
        ) {
            let read = TraceParent::parse(header.as_bytes());
            prop_assert!(read.is_none_or(|r| r.to_string().len() == 55));
        }
    }
}
