//! A *stop word* carries grammar rather than meaning and is never a keyword:
//! articles, pronouns, prepositions, auxiliaries, and the verbs and adjectives
//! that English text is full of whatever it is about.
//!
//! The table is static and sorted; nothing is built when the plugin starts.

/// Whether a word is a stop word. Case, and which apostrophe, do not matter.
pub(crate) fn is_stop_word(word: &str) -> bool {
    // No entry is longer; a megabyte without a space is not worth lowering.
    if word.len() > 24 {
        return false;
    }
    let lower = word.to_lowercase().replace('’', "'");
    STOP_WORDS.binary_search(&lower.as_str()).is_ok()
}

#[rustfmt::skip]
static STOP_WORDS: &[&str] = &[
    "a", "able", "about", "above", "according", "accordingly", "across", "actually", "after",
    "afterwards", "again", "against", "ago", "albeit", "all", "allow", "allowed", "allows",
    "almost", "alone", "along", "already", "also", "although", "always", "am", "among", "amongst",
    "an", "and", "another", "answered", "any", "anybody", "anyhow", "anyone", "anything",
    "anyway", "anywhere", "appear", "appeared", "appears", "are", "aren't", "around", "as",
    "aside", "ask", "asked", "asks", "at", "away", "back", "bad", "be", "became", "because",
    "become", "becomes", "becoming", "been", "before", "beforehand", "began", "begin",
    "beginning", "begins", "behind", "being", "believe", "below", "beside", "besides", "best",
    "better", "between", "beyond", "big", "both", "bring", "brought", "but", "by", "call",
    "called", "came", "can", "can't", "cannot", "certain", "certainly", "cf", "come", "comes",
    "common", "commonly", "consider", "considered", "considering", "continue", "continued",
    "could", "couldn't", "did", "didn't", "different", "do", "does", "doesn't", "doing", "don't",
    "done", "doth", "down", "dr", "during", "e.g", "e.g.", "each", "early", "easily", "either",
    "else", "elsewhere", "end", "ends", "enough", "ere", "especially", "etc", "even", "ever",
    "every", "everybody", "everyone", "everything", "everywhere", "except", "fact", "facts",
    "far", "feel", "felt", "few", "fig", "find", "fine", "first", "five", "follow", "followed",
    "following", "follows", "for", "former", "formerly", "found", "four", "from", "full",
    "further", "furthermore", "gave", "general", "generally", "get", "gets", "getting", "give",
    "given", "gives", "go", "goes", "going", "gone", "good", "got", "great", "greater",
    "greatest", "had", "hadn't", "happen", "happened", "happens", "hardly", "has", "hasn't",
    "hath", "have", "haven't", "having", "he", "he'd", "he'll", "he's", "hear", "heard", "held",
    "hence", "her", "here", "hereby", "herein", "hers", "herself", "high", "higher", "highest",
    "him", "himself", "his", "hold", "holds", "hope", "how", "however", "hundred", "i", "i'd",
    "i'll", "i'm", "i've", "i.e", "i.e.", "if", "important", "in", "include", "included",
    "includes", "including", "indeed", "instead", "into", "is", "isn't", "it", "it'd", "it'll",
    "it's", "its", "itself", "just", "keep", "kept", "kind", "kinds", "know", "known", "large",
    "larger", "largest", "last", "late", "later", "latter", "lead", "leads", "least", "leave",
    "leaves", "led", "left", "less", "lest", "let", "let's", "like", "likely", "little", "long",
    "longer", "look", "looked", "looks", "lot", "low", "lower", "made", "main", "mainly", "make",
    "makes", "making", "many", "may", "maybe", "me", "mean", "meant", "meanwhile", "mere",
    "merely", "might", "mine", "more", "moreover", "most", "mostly", "move", "mr", "mrs", "ms",
    "much", "must", "mustn't", "my", "myself", "namely", "near", "nearest", "nearly", "need",
    "needed", "needs", "neither", "never", "nevertheless", "new", "next", "nice", "nine", "no",
    "nobody", "none", "nonetheless", "nor", "not", "nothing", "now", "nowhere", "o'clock",
    "occasion", "occasions", "of", "off", "often", "oh", "old", "on", "once", "one", "one's",
    "ones", "only", "onto", "or", "other", "others", "otherwise", "ought", "our", "ours",
    "ourselves", "out", "over", "own", "particular", "per", "perhaps", "piece", "pieces",
    "please", "possible", "possibly", "present", "previous", "probable", "provide", "provided",
    "provides", "put", "quite", "rather", "reach", "really", "regard", "regarding", "regards",
    "remain", "remained", "remaining", "remains", "remarkable", "right", "run", "said", "same",
    "saw", "say", "saying", "says", "see", "seek", "seem", "seemed", "seeming", "seems", "seen",
    "send", "sent", "set", "seven", "several", "shall", "shalt", "shan't", "she", "she'd",
    "she'll", "she's", "short", "should", "shouldn't", "showed", "shown", "shows", "side",
    "sides", "simple", "simply", "since", "sit", "six", "small", "smaller", "smallest", "so",
    "some", "somebody", "somehow", "someone", "something", "sometime", "sometimes", "somewhat",
    "somewhere", "soon", "sort", "sorts", "speak", "spoke", "st", "stand", "stands", "started",
    "still", "stood", "such", "suppose", "take", "taken", "takes", "taking", "talk", "talked",
    "tell", "ten", "than", "that", "that's", "the", "thee", "their", "theirs", "them",
    "themselves", "then", "thence", "there", "there's", "thereafter", "thereby", "therefore",
    "therein", "thereof", "thereupon", "these", "they", "they'd", "they'll", "they're", "they've",
    "thing", "things", "think", "third", "this", "those", "thou", "though", "thousand", "three",
    "through", "throughout", "thru", "thus", "thy", "till", "time", "times", "to", "together",
    "too", "took", "toward", "towards", "tried", "true", "try", "turns", "two", "under",
    "understand", "unless", "until", "unto", "up", "upon", "us", "use", "used", "uses", "using",
    "usual", "usually", "various", "very", "via", "vs", "wait", "walk", "want", "wanted", "wants",
    "was", "wasn't", "way", "ways", "we", "we'd", "we'll", "we're", "we've", "well", "went",
    "were", "weren't", "what", "what's", "whatever", "when", "whence", "whenever", "where",
    "whereas", "whereby", "wherein", "whereupon", "wherever", "whether", "which", "whichever",
    "while", "whilst", "whither", "who", "whoever", "whole", "whom", "whose", "why", "will",
    "wilt", "with", "within", "without", "won't", "wonderful", "would", "wouldn't", "write",
    "written", "wrote", "ye", "yes", "yet", "you", "you'd", "you'll", "you're", "you've", "young",
    "your", "yours", "yourself", "yourselves",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_without_duplicates() {
        assert!(STOP_WORDS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn grammar_is_stopped_and_content_is_not() {
        for word in ["the", "The", "OF", "don't", "don’t", "whereupon"] {
            assert!(is_stop_word(word), "{word}");
        }
        for word in ["whale", "species", "candle", "", "é", "theory"] {
            assert!(!is_stop_word(word), "{word}");
        }
    }
}
