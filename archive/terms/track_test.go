package terms

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// replay gives a tracker one text after the other, each a line for each block,
// and returns the outcomes and the news in words.
type replay struct {
	t       testing.TB
	tracker Tracker
	memory  *Memory
	looks   int
	step    time.Duration
	news    []string
}

func newReplay(t testing.TB) *replay {
	m := NewMemory()
	return &replay{t: t, memory: m, tracker: Tracker{Library: m}, step: time.Hour}
}

func (r *replay) look(lines ...string) Outcome {
	r.t.Helper()
	return r.graded(Verdict{Grade: GradeTerms}, lines...)
}

func (r *replay) graded(v Verdict, lines ...string) Outcome {
	r.t.Helper()
	text := &Text{Extractor: "test"}
	for _, l := range lines {
		text.Blocks = append(text.Blocks, Block{Kind: Paragraph, Text: l})
	}
	r.looks++
	step, err := r.tracker.Observe(Observation{
		Look: fmt.Sprint(r.looks), Time: time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.looks) * r.step),
		Verdict: v, Rules: "1", Text: r.memory.Add(text), Prints: text.Fingerprints(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range step.News {
		news := fmt.Sprintf("%s %s>%s", n.Kind, n.From.Look, n.To.Look)
		if n.Doubt != "" {
			news += " doubtful: " + n.Doubt
		}
		r.news = append(r.news, news)
	}
	return step.Outcome
}

// base is a policy of some length, so that a change of a line is no shrinking.
func base(lines ...string) []string {
	all := []string{"Terms of Service", "Last updated in May.", "You keep what you post.", "We show it to others.", "You may leave at any time."}
	for i := range 20 {
		all = append(all, fmt.Sprintf("Clause %d says what it says, at some length, and nothing else.", i))
	}
	return append(all, lines...)
}

func without(lines []string, line string) []string {
	var out []string
	for _, l := range lines {
		if l != line {
			out = append(out, l)
		}
	}
	return out
}

func TestTrack(t *testing.T) {
	a, b, c := base(), base("Your posts train our models."), base("Your posts train our models.", "You cannot object.")
	rotating := func(lines []string, i int) []string {
		return append([]string{fmt.Sprintf("Trace id %08x.", i*7919)}, lines...)
	}
	tests := []struct {
		name string
		run  func(r *replay) []Outcome
		want []Outcome
		news string
	}{
		{"same", func(r *replay) []Outcome { return []Outcome{r.look(a...), r.look(a...)} }, []Outcome{First, Unchanged}, ""},
		{"a change is told when a second look has it too", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(b...), r.look(b...), r.look(b...)}
		}, []Outcome{First, Unconfirmed, Unchanged, Unchanged}, "changed 1>2"},
		{"a passing state is not told", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(b...), r.look(a...), r.look(a...)}
		}, []Outcome{First, Unconfirmed, Unchanged, Unchanged}, ""},
		{"a state that passed and comes again is told", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(b...), r.look(a...), r.look(b...)}
		}, []Outcome{First, Unconfirmed, Unchanged, Unchanged}, "changed 1>2"},
		{"two changes in a row", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(b...), r.look(c...), r.look(c...)}
		}, []Outcome{First, Unconfirmed, Unconfirmed, Unchanged}, "changed 1>2, changed 2>3"},
		{"alternating states", func(r *replay) []Outcome {
			r.look(a...)
			r.look(b...)
			r.look(b...)
			return []Outcome{r.look(a...), r.look(b...), r.look(a...), r.look(b...), r.look(a...), r.look(a...)}
		}, []Outcome{KnownVariant, Unchanged, KnownVariant, Unchanged, KnownVariant, KnownVariant}, "changed 1>2"},
		{"an earlier state that stays", func(r *replay) []Outcome {
			r.look(a...)
			r.look(b...)
			r.look(b...)
			return []Outcome{r.look(a...), r.look(a...), r.look(a...), r.look(a...), r.look(b...)}
		}, []Outcome{KnownVariant, KnownVariant, Unchanged, Unchanged, KnownVariant}, "changed 1>2, reverted 2>4"},
		{"a removed sentence, seen once before", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(without(a, a[3])...), r.look(without(a, a[3])...)}
		}, []Outcome{First, Unconfirmed, Unchanged}, "changed 1>2"},
		{"a removed sentence beside what rotates", func(r *replay) []Outcome {
			var out []Outcome
			for i := range 5 {
				out = append(out, r.look(rotating(a, i)...))
			}
			for i := range 3 {
				out = append(out, r.look(rotating(without(a, a[3]), 10+i)...))
			}
			return out
		}, []Outcome{First, Unconfirmed, Unconfirmed, VolatileOnly, VolatileOnly, Unconfirmed, VolatileOnly, VolatileOnly}, "changed 1>6"},
		{"an added sentence beside what rotates", func(r *replay) []Outcome {
			return []Outcome{r.look(rotating(a, 0)...), r.look(rotating(b, 1)...), r.look(rotating(b, 2)...), r.look(rotating(b, 3)...), r.look(rotating(b, 4)...)}
		}, []Outcome{First, Unconfirmed, Unconfirmed, Unconfirmed, VolatileOnly}, "changed 1>2"},
		{"back to an earlier version beside what rotates", func(r *replay) []Outcome {
			for i := range 4 {
				r.look(rotating(a, i)...)
			}
			r.look(rotating(b, 5)...)
			r.look(rotating(b, 6)...)
			var out []Outcome
			for i := range 5 {
				out = append(out, r.look(rotating(a, 10+i)...))
			}
			return out
		}, []Outcome{Unconfirmed, KnownVariant, Unchanged, VolatileOnly, VolatileOnly}, "changed 1>5, reverted 5>8"},
		{"a challenge page counts for nothing", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.graded(Verdict{Grade: GradeBlocked}, "Just a moment"), r.look(a...)}
		}, []Outcome{First, Suspect, Unchanged}, ""},
		{"other words in less than half of the length have to stay", func(r *replay) []Outcome {
			half := []string{"Something went wrong.", "We are at work on it.", "Please come again later.", "Thank you."}
			return []Outcome{r.look(a...), r.look(half...), r.look(half...), r.look(a...), r.look(half...), r.look(half...), r.look(half...)}
		}, []Outcome{First, Suspect, Suspect, Unchanged, Suspect, Suspect, Unchanged}, "changed 1>5 doubtful: shrunk: 15 words, and the last good text has 263"},
		{"the greater part is removed", func(r *replay) []Outcome {
			return []Outcome{r.look(a...), r.look(a[:8]...), r.look(a[:8]...)}
		}, []Outcome{First, Unconfirmed, Unchanged}, "changed 1>2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newReplay(t)
			got := test.run(r)
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("outcomes\n got %v\nwant %v", got, test.want)
			}
			if news := strings.Join(r.news, ", "); news != test.news {
				t.Errorf("news %q, want %q", news, test.news)
			}
		})
	}
}

// TestTrackLinks holds that other addresses under the same words are no change.
func TestTrackLinks(t *testing.T) {
	r := newReplay(t)
	r.look(base()...)
	text := &Text{}
	for _, l := range base() {
		text.Blocks = append(text.Blocks, Block{Kind: Paragraph, Text: l})
	}
	text.Blocks[2].Marks = []Mark{{0, 3, Link, "https://example.org/"}}
	for _, want := range []Outcome{LinksOnly, Unchanged} {
		step, err := r.tracker.Observe(Observation{Look: "x", Verdict: Verdict{Grade: GradeTerms}, Text: r.memory.Add(text), Prints: text.Fingerprints()})
		if err != nil || step.Outcome != want {
			t.Errorf("outcome %v, %v, want %v", step.Outcome, err, want)
		}
	}
}

// TestTrackNeverTwice replays random walks over states and holds that no state
// is told as new twice, that the first one of each is told or listed, and that
// going over the JSON of the state changes nothing.
func TestTrackNeverTwice(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := newReplay(t)
		told := map[string]bool{}
		for range 40 {
			state := base()
			for k := range 3 {
				if rng.IntN(2) == 0 {
					state = append(state, fmt.Sprintf("Optional clause %d stands here.", k))
				}
			}
			for range 1 + rng.IntN(4) {
				before := len(r.tracker.State.Versions)
				r.look(state...)
				for _, v := range r.tracker.State.Versions[before:] {
					text, err := r.memory.Text(v.Text)
					if err != nil {
						t.Fatal(err)
					}
					news := r.news
					if len(news) > 0 && strings.HasPrefix(news[len(news)-1], "changed") && told[text.Plain()] {
						t.Fatalf("seed %d: told again: %v", seed, news)
					}
					told[text.Plain()] = true
				}
			}
		}
	}
}

// TestTrackRebase goes over to other rules. What fits neither the last nor the first
// look at the version in force is replaced by the observation itself, silently; what
// fits one of them is compared, and what is new is told.
func TestTrackRebase(t *testing.T) {
	changed := base("Your posts train our models.")
	tests := []struct {
		name string
		fits []string // looks that can be read by the other rules
		want []Outcome
		news string
	}{
		{"no look fits", nil, []Outcome{Unchanged, Unchanged}, ""},
		{"the last one fits", []string{"2"}, []Outcome{Unconfirmed, Unchanged}, "changed 1>3"},
		{"the first one fits", []string{"1"}, []Outcome{Unconfirmed, Unchanged}, "changed 1>3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newReplay(t)
			r.look(base()...)
			r.look(base()...)
			text := func(lines []string) *Text {
				text := &Text{Extractor: "test"}
				for _, l := range lines {
					text.Blocks = append(text.Blocks, Block{Kind: Paragraph, Text: l + " By other rules."})
				}
				return text
			}
			observed := func(look string, lines []string) Observation {
				made := text(lines)
				return Observation{Look: look, Verdict: Verdict{Grade: GradeTerms}, Rules: "2", Text: r.memory.Add(made), Prints: made.Fingerprints()}
			}
			err := r.tracker.Rebase(observed("3", changed), func(look string) (Observation, bool, error) {
				for _, fit := range test.fits {
					if fit == look {
						return observed(look, base()), true, nil
					}
				}
				return Observation{}, false, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []Outcome
			var news []string
			for _, look := range []string{"3", "4"} {
				step, err := r.tracker.Observe(observed(look, changed))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, step.Outcome)
				for _, n := range step.News {
					news = append(news, fmt.Sprintf("%s %s>%s", n.Kind, n.From.Look, n.To.Look))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) || strings.Join(news, ", ") != test.news {
				t.Errorf("outcomes %v, news %v, want %v, %s", got, news, test.want, test.news)
			}
		})
	}
}
