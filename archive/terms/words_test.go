package terms

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"none", " ", nil},
		{"english", "We keep data.  We do not sell it! Do you agree?", []string{"We keep data.", "We do not sell it!", "Do you agree?"}},
		{"chinese", "我们处理数据。我们不出售数据！您同意吗？好", []string{"我们处理数据。", "我们不出售数据！", "您同意吗？", "好"}},
		{"chinese in quotes", "「我们同意。」他们说。", []string{"「我们同意。」", "他们说。"}},
		{"japanese", "当社は販売しません。ご確認ください。", []string{"当社は販売しません。", "ご確認ください。"}},
		{"arabic", "هل توافق؟ نحن لا نبيع بياناتك.", []string{"هل توافق؟", "نحن لا نبيع بياناتك."}},
		{"number of a section", "3. Fees are due. Pay them.", []string{"3. Fees are due.", "Pay them."}},
		{"initials", "The U.S. Terms apply. So do others.", []string{"The U.S. Terms apply.", "So do others."}},
		{"number", "It costs 3.50 a day. Tax is extra.", []string{"It costs 3.50 a day.", "Tax is extra."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, s := range Sentences(c.text) {
				got = append(got, c.text[s.Start:s.End])
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Sentences(%q) (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("3. Fees. U.S. law applies. 我们。好")
	f.Add("\xff. \u2029 a")
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, sp := range Sentences(s) {
			if sp.Start < at || sp.End <= sp.Start || strings.TrimSpace(s[at:sp.Start]) != "" {
				t.Fatalf("Sentences(%q): span %v after %d", s, sp, at)
			}
			at = sp.End
		}
		if strings.TrimSpace(s[at:]) != "" {
			t.Fatalf("Sentences(%q) leave %q out", s, s[at:])
		}
	})
}

func TestCountWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0}, {" - ; ", 0}, {"We don't sell 3.5 things.", 5}, {"我们不出售。", 5}, {"用 AI 训练", 4}, {"نحن لا نبيع", 3}, {"👍 ok", 1},
	} {
		if got := countWords(c.text); got != c.want {
			t.Errorf("countWords(%q) = %d, want %d", c.text, got, c.want)
		}
	}
}
