//! How an input is changed. What is read here has a form, and a change anywhere in it mostly breaks the form. So most
//! changes stay between two marks of it, inside one string, one number or one parameter, and some put in a word.

use std::sync::LazyLock;

use libfuzzer_sys::fuzzer_mutate;

const MARKS: &[u8] = b"\"{}[]:,\n&=.";
/// How much longer a piece may become in one change.
const MOST_GROWTH: usize = 300;

/// The words of a libFuzzer dictionary, which libFuzzer itself picks too seldom.
pub type Words = LazyLock<Vec<Vec<u8>>>;

/// Changes the first `size` bytes of `data`; gives how many there are then, at most `max_size`.
pub fn mutate(words: &Words, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut choices = Choices(seed);
    let way = choices.below(4);
    let pieces = || data[..size].split(|b| MARKS.contains(b));
    let chosen = choices.below(pieces().count());
    let start: usize = pieces().take(chosen).map(|p| p.len() + 1).sum();
    let end = start + pieces().nth(chosen).map_or(0, <[u8]>::len);
    let changed = match way {
        0 => return fuzzer_mutate(data, size, max_size),
        1 => with_word(
            &data[start..end],
            &words[choices.below(words.len())],
            &mut choices,
        ),
        _ => grown(&data[start..end], MOST_GROWTH.min(max_size.saturating_sub(size))),
    };
    let after = data[end..size].to_vec();
    if start + changed.len() + after.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    let new = [changed, after].concat();
    data[start..start + new.len()].copy_from_slice(&new);
    start + new.len()
}

/// A word inside the piece, or in its place.
fn with_word(piece: &[u8], word: &[u8], choices: &mut Choices) -> Vec<u8> {
    let from = choices.below(piece.len() + 1);
    let to = if choices.below(2) == 0 { from } else { piece.len() };
    let from = if choices.below(4) == 0 { 0 } else { from };
    [&piece[..from], word, &piece[to..]].concat()
}

/// What libFuzzer makes of the piece alone.
fn grown(piece: &[u8], room: usize) -> Vec<u8> {
    let mut changed = piece.to_vec();
    // it cannot work in no room at all
    changed.resize((piece.len() + room).max(1), 0);
    let most = changed.len();
    let length = fuzzer_mutate(&mut changed, piece.len(), most);
    changed.truncate(length);
    changed
}

/// A word a line, in quotes, with `\\`, `\"` and `\xHH`.
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    dictionary
        .lines()
        .filter_map(quoted)
        .map(|word| unescaped(&word))
        .collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        (rest, _) = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let hex = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0) as u8;
                (after, bytes.push(hex(high) << 4 | hex(low)))
            }
            (b'\\', [escaped, after @ ..]) => (after, bytes.push(*escaped)),
            _ => (after, bytes.push(*first)),
        };
    }
    bytes
}

/// A few numbers out of libFuzzer's one.
struct Choices(u32);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // the upper bits are the random ones
        (self.0 >> 8) as usize % end.max(1)
    }
}
