//! The address of a task as a QR code, to go from a screen to a phone.
//!
//! Responsible for drawing it. Not responsible for the address.

use fast_qr::{ECL, QRBuilder};
use maud::{Markup, html};

/// The quiet zone that readers need around it, in modules.
const QUIET: usize = 4;

/// The code of an address, dark on light whatever the page is; nothing of an address that is too long for one.
pub(super) fn qr(address: &str) -> Option<Markup> {
    let code = QRBuilder::new(address).ecl(ECL::M).build().ok()?;
    let side = code.size + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size {
        for x in (0..code.size).filter(|x| code[y][*x].value()) {
            path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some(html! {
        svg.qr viewBox={ "0 0 " (side) " " (side) } role="img" aria-label="QR code of the task's address" shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#ffffff" {}
            path d=(path) fill="#000000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_code_with_its_three_corners() {
        let drawn = qr("https://phab.example/T1").unwrap().into_string();
        assert!(drawn.contains("viewBox=\"0 0 33 33\""), "{drawn}");
        // The corners of the finder patterns, within the quiet zone.
        for corner in ["M4 4h1", "M28 4h1", "M4 28h1"] {
            assert!(drawn.contains(corner), "{corner}");
        }
        assert_ne!(drawn, qr("https://phab.example/T2").unwrap().into_string());
        assert!(qr(&"x".repeat(4_000)).is_none());
    }
}
