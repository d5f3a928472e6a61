//! temp
#[test]
fn probe() {
    let mut state = 88172645463325252_u64;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let toks = [
        "S_", "S0_", "S1_", "S2_", "T_", "T0_", "I", "J", "E", "X", "L", "i", "P", "R", "K", "F", "v", "N", "1a", "1b", "Dp", "DpT_", "sr",
        "cl", "St", "A_", "M", "Z", "_Z1f", "D", "DT", "Dt", "C1", "B1a", "Ul", "Ut_", "dl", "cv", "on", "gs", "ad", "pl", "sZ", "sp",
        "tl", "il", "nw", "_", "U1e", "Dv", "Do", "W", "Q", "Tn", "Ty",
    ];
    let mut worst = (0, String::new());
    let start = std::time::Instant::now();
    while start.elapsed().as_secs() < 25 {
        // repeated units, which is where backtracking hurts
        let mut s = String::from("_Z");
        if next(2) == 0 {
            s.push_str("1f");
        }
        for _ in 0..1 + next(3) {
            let unit: String = (0..1 + next(4)).map(|_| toks[next(toks.len())]).collect();
            let n = [1, 2, 10, 24, 40, 90][next(6)];
            s.push_str(&unit.repeat(n));
        }
        for _ in 0..next(4) {
            s.push_str(toks[next(toks.len())]);
        }
        if next(3) == 0 {
            s.push_str(&"E".repeat(next(60)));
            s.push('v');
        }
        let t = std::time::Instant::now();
        let _ = sealtrace_resolve::demangle(&s);
        let e = t.elapsed().as_micros();
        if e > worst.0 {
            worst = (e, s);
            eprintln!("{} us: {}", worst.0, worst.1);
        }
    }
}
