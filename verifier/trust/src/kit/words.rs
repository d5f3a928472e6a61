//! The words that a fingerprint is read aloud with: one for each byte. Chosen for this project; no two begin with the same three letters,
//! and at least three letters must be changed to make one of another.

/// Byte → word, in alphabetical order.
pub(super) const WORDS: [&str; 256] = [
    "acid", "acorn", "admiral", "adobe", "agent", "album", "almond", "alpine", "amber", "anchor", "antler", "apron", "aqua", "armor",
    "aspen", "atlas", "attic", "aurora", "autumn", "avocado", "awning", "azure", "badge", "baker", "bamboo", "barn", "basil", "beacon",
    "belfry", "bishop", "blanket", "blossom", "bolt", "bonfire", "border", "brass", "breeze", "brook", "bucket", "buffalo", "bugle",
    "bureau", "butter", "cabin", "cactus", "camel", "canyon", "cargo", "castle", "cedar", "cello", "chalk", "cherry", "chimney", "cinema",
    "circus", "clay", "cliff", "clover", "cobalt", "cocoa", "coffee", "compass", "copper", "cotton", "cousin", "cradle", "cream",
    "cricket", "crown", "crystal", "cube", "cuckoo", "curtain", "cymbal", "daisy", "dancer", "decade", "delta", "denim", "desert", "dice",
    "diesel", "dolphin", "domino", "donkey", "door", "dragon", "drum", "earth", "echo", "effort", "egret", "elbow", "engine", "envoy",
    "epoch", "equator", "escape", "ether", "evening", "exile", "fabric", "falcon", "fennel", "fiddle", "figure", "finch", "flint", "flute",
    "fossil", "frost", "galaxy", "garlic", "gate", "gazelle", "geyser", "ginger", "giraffe", "glacier", "goblet", "gondola", "goose",
    "granite", "grotto", "guitar", "gull", "gypsum", "hand", "helmet", "hickory", "hippo", "hollow", "horizon", "hotel", "husky", "icicle",
    "igloo", "iguana", "impala", "indigo", "iris", "island", "ivory", "jasmine", "jewel", "jigsaw", "journal", "kayak", "kettle", "kiosk",
    "kitten", "knight", "koala", "ladder", "lagoon", "lamp", "lantern", "lasso", "laurel", "leaf", "lemon", "lentil", "lilac", "linen",
    "lizard", "lobster", "lotus", "lynx", "lyric", "magnet", "maple", "mask", "meadow", "mentor", "mimosa", "mirror", "monsoon", "mosaic",
    "muffin", "museum", "myrtle", "napkin", "nectar", "needle", "nephew", "nest", "nickel", "nugget", "nurse", "nutmeg", "oboe", "ocean",
    "office", "olive", "onion", "opal", "orange", "orbit", "osprey", "oxygen", "parrot", "peach", "pebble", "piano", "pigeon", "pirate",
    "poplar", "pulley", "puzzle", "python", "quail", "queen", "quiver", "rabbit", "radish", "raft", "reed", "ribbon", "sandal", "scarf",
    "shell", "ship", "silk", "sketch", "snow", "song", "spruce", "squid", "stable", "street", "sugar", "summit", "swan", "syrup", "tailor",
    "teapot", "temple", "toast", "tower", "train", "tulip", "tundra", "twig", "umpire", "urchin", "vault", "violin", "visor", "waffle",
    "walnut", "wheat", "yacht", "yogurt", "zebra", "zephyr",
];
