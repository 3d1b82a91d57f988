//! Plots, as SVG on a white ground, so that they can be read on a page of any colour.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::number;

/// The size of a plot with lines, in pixels.
const SIZE: (u32, u32) = (760, 420);
const FONT: &str = "sans-serif";
/// Colours that can be told apart with any eyes, and on paper. Source: Okabe and Ito, "Color Universal Design".
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// One bar, from 0 on.
pub(crate) struct Bar {
    /// What it stands for.
    pub(crate) name: String,
    /// How long it is.
    pub(crate) figure: f64,
}

/// One line, through points in order.
pub(crate) struct Line {
    /// What it stands for.
    pub(crate) name: String,
    /// Where it goes: all above 0.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Bars that lie below each other, each with its name and its figure.
///
/// # Errors
/// Where they can't be drawn.
pub(crate) fn bars(title: &str, unit: &str, bars: &[Bar]) -> Result<String> {
    const ROW: i32 = 34;
    const LEFT: i32 = 290;
    const RIGHT: i32 = 90;
    const TOP: i32 = 50;
    let height = TOP + ROW * i32::try_from(bars.len())? + 14;
    let size = (SIZE.0, u32::try_from(height)?);
    let most = bars.iter().map(|bar| bar.figure).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let text = |size: i32, horizontal| (FONT, size).into_text_style(&area).pos(Pos::new(horizontal, VPos::Center));
        area.fill(&WHITE).map_err(drawn)?;
        area.draw_text(&format!("{title}, {unit}"), &text(18, HPos::Left), (14, 24)).map_err(drawn)?;
        for (bar, row) in bars.iter().zip(0..) {
            let middle = TOP + ROW * row + ROW / 2;
            let length = (f64::from(SIZE.0 as i32 - LEFT - RIGHT) * bar.figure / most).max(1.0) as i32;
            let colour = if bar.name.starts_with("host") { COLOURS[0] } else { COLOURS[5] };
            let corners = [(LEFT, middle - ROW / 3), (LEFT + length, middle + ROW / 3)];
            area.draw(&Rectangle::new(corners, colour.filled())).map_err(drawn)?;
            area.draw_text(&bar.name, &text(14, HPos::Right), (LEFT - 8, middle)).map_err(drawn)?;
            area.draw_text(&number(bar.figure), &text(14, HPos::Left), (LEFT + length + 6, middle)).map_err(drawn)?;
        }
        area.present().map_err(drawn)?;
    }
    Ok(svg)
}

/// Lines over two logarithmic axes, with a legend.
///
/// # Errors
/// Where they can't be drawn, as where there is no point.
pub(crate) fn lines(title: &str, across: &str, up: &str, lines: &[Line]) -> Result<String> {
    let points = || lines.iter().flat_map(|line| &line.points);
    // Above the lines there is room for the legend.
    let range = |of: fn(&(f64, f64)) -> f64, above: f64| {
        let least = points().map(of).fold(f64::MAX, f64::min);
        let most = points().map(of).fold(f64::MIN_POSITIVE, f64::max);
        least / 1.1..most * 1.1 * (most / least).max(2.0).powf(above)
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(drawn)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 18))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(range(|point| point.0, 0.0).log_scale(), range(|point| point.1, 0.5).log_scale())
            .map_err(drawn)?;
        chart
            .configure_mesh()
            .x_desc(across)
            .y_desc(up)
            .label_style((FONT, 13))
            .x_label_formatter(&|figure| short(*figure))
            .y_label_formatter(&|figure| short(*figure))
            .light_line_style(WHITE)
            .draw()
            .map_err(drawn)?;
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3))
                .map_err(drawn)?
                .label(line.name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 13))
            .draw()
            .map_err(drawn)?;
        area.present().map_err(drawn)?;
    }
    Ok(svg)
}

/// The number of an axis: `0.1`, `1`, `10`, `1k`, `1M`.
fn short(figure: f64) -> String {
    let (figure, unit) = match figure {
        large if large >= 1e6 => (large / 1e6, "M"),
        large if large >= 1e3 => (large / 1e3, "k"),
        small => (small, ""),
    };
    let text = number(figure);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// What the library says, as an error that can be kept.
fn drawn(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot can't be drawn: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_what_it_shows_and_its_units() {
        let bar = Bar { name: "workerd".to_owned(), figure: 90.0 };
        let svg = bars("CPU time of an event", "µs", &[bar]).unwrap();
        assert!(["CPU time of an event, µs", "workerd", "90.0"].iter().all(|text| svg.contains(text)), "{svg}");
        let line = Line { name: "host".to_owned(), points: vec![(1.0, 20.0), (1000.0, 40.0)] };
        let svg = lines("Growth", "handlers", "µs", &[line]).unwrap();
        assert!(["Growth", "handlers", "µs", "host", "1k"].iter().all(|text| svg.contains(text)), "{svg}");
    }
}
