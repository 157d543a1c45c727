//! One part of the picture with its scales, and what can be drawn in it.

use std::fmt::Write;

use super::axis::{round_numbers, short};
use super::columns::Extent;
use crate::units::Timestamp;

/// Width of the picture; all measures are in its own units.
pub(super) const WIDTH: f64 = 960.0;
/// Room for the numbers at the left.
pub(super) const LEFT: f64 = 60.0;
/// Room for what lines mean at the right.
pub(super) const RIGHT: f64 = 120.0;
/// Height of a line of text.
pub(super) const LINE: f64 = 13.0;
/// Width of a character, about.
pub(super) const CHARACTER: f64 = 7.4;
/// Of text, axes and grids: readable on white as on black.
pub(super) const INK: &str = "#7d8590";
/// Narrowest stretch that can still be seen.
const NARROWEST: f64 = 1.5;

/// Width of a value that stands alone, on top of that of its line.
const DOT: f64 = 4.0;

/// A part of the picture.
pub(super) struct Frame {
    pub(super) top: f64,
    pub(super) height: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) times: (Timestamp, Timestamp),
}

/// How a line goes from one value to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A value holds until the next.
    Steps,
    Straight,
}

/// How a line is drawn.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) color: &'static str,
    pub(super) width: f64,
    pub(super) dashes: &'static str,
    pub(super) opacity: f64,
}

impl Pen {
    pub(super) const fn solid(color: &'static str, width: f64) -> Self {
        Self { color, width, dashes: "", opacity: 1.0 }
    }

    pub(super) fn style(self) -> String {
        let dashes = if self.dashes.is_empty() {
            String::new()
        } else {
            format!(" stroke-dasharray=\"{}\"", self.dashes)
        };
        let opacity = match self.opacity {
            1.0 => String::new(),
            opacity => format!(" stroke-opacity=\"{opacity}\""),
        };
        format!("stroke=\"{}\" stroke-width=\"{}\"{dashes}{opacity}", self.color, self.width)
    }
}

impl Frame {
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let whole = self.times.1.since(self.times.0).as_secs_f64().max(1e-3);
        LEFT + (WIDTH - LEFT - RIGHT) * (at.since(self.times.0).as_secs_f64() / whole).min(1.0)
    }

    /// What lies beyond the scale is drawn at its edge.
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.top + self.height * (1.0 - share)
    }

    pub(super) const fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The frame, its name above it, and a grid with numbers.
    pub(super) fn axes(&self, svg: &mut String, name: &str) {
        let right = WIDTH - RIGHT;
        for value in round_numbers(self.low, self.high) {
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"{INK}\" stroke-opacity=\"0.25\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                short(value)
            );
        }
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {}V{}H{right}\" fill=\"none\" stroke=\"{INK}\"/>\n\
             <text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
            self.top,
            self.bottom(),
            self.top - 7.0,
            escaped(name)
        );
    }

    /// Text at the right of the frame; texts that would overlap are moved apart.
    pub(super) fn labels(&self, svg: &mut String, mut labels: Vec<(f64, String, &'static str)>) {
        labels.sort_by(|one, other| other.0.total_cmp(&one.0));
        let count = labels.len();
        let mut lowest = f64::NEG_INFINITY;
        for (index, (value, text, color)) in labels.into_iter().enumerate() {
            let below = (count - 1 - index) as f64 * LINE;
            let y = self.y(value).max(lowest + LINE).min(self.bottom().max(self.top + LINE) - below);
            lowest = y;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"{color}\">{}</text>",
                WIDTH - RIGHT + 5.0,
                y + 4.0,
                escaped(&text)
            );
        }
    }

    /// A line across the frame.
    pub(super) fn across(&self, svg: &mut String, value: f64, pen: Pen) {
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {:.1}H{:.1}\" fill=\"none\" {}/>",
            self.y(value),
            WIDTH - RIGHT,
            pen.style()
        );
    }

    pub(super) fn line(
        &self,
        svg: &mut String,
        points: impl Iterator<Item = (Timestamp, Option<Extent>)>,
        pen: Pen,
        shape: Shape,
    ) {
        let (mut path, mut dots) = (String::new(), String::new());
        let mut begun = false;
        // A value that no line leads from, so far.
        let mut alone = None;
        for (at, extent) in points {
            let x = self.x(at);
            let Some(it) = extent else {
                if begun && shape == Shape::Steps {
                    let _ = write!(path, "H{x:.1}");
                    alone = None;
                }
                dot(&mut dots, alone.take());
                begun = false;
                continue;
            };
            let (first, last) = (self.y(it.first), self.y(it.last));
            let _ = match (begun, shape) {
                (false, _) => write!(path, "M{x:.1} {first:.1}"),
                (true, Shape::Steps) => write!(path, "H{x:.1}V{first:.1}"),
                (true, Shape::Straight) => write!(path, "L{x:.1} {first:.1}"),
            };
            if it.low < it.high {
                let _ = write!(path, "V{:.1}V{:.1}V{last:.1}", self.y(it.low), self.y(it.high));
            }
            alone = (!begun && it.low >= it.high).then_some((x, first));
            begun = true;
        }
        dot(&mut dots, alone);
        if !path.is_empty() {
            let _ =
                writeln!(svg, "<path fill=\"none\" stroke-linejoin=\"round\" {} d=\"{path}\"/>", pen.style());
        }
        if !dots.is_empty() {
            let pen = Pen { width: DOT + pen.width, dashes: "", ..pen };
            let _ =
                writeln!(svg, "<path fill=\"none\" stroke-linecap=\"round\" {} d=\"{dots}\"/>", pen.style());
        }
    }

    /// The area between two series that hold until their next value.
    pub(super) fn band(
        &self,
        svg: &mut String,
        points: impl Iterator<Item = (Timestamp, Option<Extent>, Option<Extent>)>,
        color: &str,
        opacity: f64,
    ) {
        let (mut upper, mut lower) = (String::new(), Vec::new());
        for (at, low, high) in points {
            let (Some(low), Some(high)) = (low, high) else { continue };
            let (x, y) = (self.x(at), self.y(high.high));
            let _ = if upper.is_empty() {
                write!(upper, "M{x:.1} {y:.1}")
            } else {
                write!(upper, "H{x:.1}V{y:.1}")
            };
            lower.push((x, self.y(low.low)));
        }
        let _ = write!(upper, "H{:.1}", WIDTH - RIGHT);
        let mut right = WIDTH - RIGHT;
        for (x, y) in lower.into_iter().rev() {
            let _ = write!(upper, "L{right:.1} {y:.1}H{x:.1}");
            right = x;
        }
        let _ = writeln!(svg, "<path fill=\"{color}\" fill-opacity=\"{opacity}\" d=\"{upper}Z\"/>");
    }

    /// Marks the times at which something is so, between two heights.
    pub(super) fn stretches(
        &self,
        svg: &mut String,
        stretches: &[(Timestamp, Timestamp)],
        (top, bottom): (f64, f64),
        color: &str,
        opacity: f64,
    ) {
        let mut path = String::new();
        for (from, to) in stretches {
            let (from, to) = (self.x(*from), self.x(*to));
            let to = to.max(from + NARROWEST);
            let _ = write!(path, "M{from:.1} {top:.1}H{to:.1}V{bottom:.1}H{from:.1}Z");
        }
        if !path.is_empty() {
            let _ = writeln!(svg, "<path fill=\"{color}\" fill-opacity=\"{opacity}\" d=\"{path}\"/>");
        }
    }
}

/// A line of no length, which its round ends make visible.
fn dot(path: &mut String, at: Option<(f64, f64)>) {
    if let Some((x, y)) = at {
        let _ = write!(path, "M{x:.1} {y:.1}h.01");
    }
}

/// Text as XML takes it; what XML cannot hold is left out.
pub(super) fn escaped(text: &str) -> String {
    let held = text.chars().filter(|it| !it.is_control());
    held.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
