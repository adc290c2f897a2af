package terms

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWatchMatch(t *testing.T) {
	for _, c := range []struct {
		phrase string
		yes    []string
		no     []string
	}{
		{"train", []string{"to train models", "TRAIN", "(train)", "re-train"}, []string{"training", "constrain", "trains", "terrain"}},
		{"train*", []string{"to train models", "training", "trained."}, []string{"constrain", "restraint"}},
		{"machine learning", []string{"Machine  Learning models", "machine\u00a0learning", "(machine learning)", "ｍａｃｈｉｎｅ learning"}, []string{"machine-learning", "machine learnings", "slot machine"}},
		{"AI", []string{"AI", "an AI-based tool", "生成AI", "ai."}, []string{"said", "aid", "A I"}},
		{"künstliche Intelligenz", []string{"KÜNSTLICHE INTELLIGENZ", "kunstliche Intelligenz", "ku\u0308nstliche Intelligenz"}, []string{"künstlicher Intelligenz"}},
		{"Maße", []string{"MASSE", "masse"}, []string{"massen"}},
		{"entraîn*", []string{"l'entraînement", "entrainer", "l’entraînement"}, []string{"rentraîner"}},
		{"训练", []string{"用于训练我们的模型", "训练"}, []string{"练训", "訓練"}},
		{"学習", []string{"機械学習モデル", "学習"}, []string{"学 習"}},
		{"がく", []string{"がくしゅう", "か\u3099く"}, []string{"かく"}},
		{"カード", []string{"クレジットｶｰﾄﾞ", "カード"}, []string{"カート"}},
		{"학습*", []string{"모델 학습에 사용", "학습"}, []string{"기계학습"}},
		{"обучение", []string{"машинное ОБУЧЕНИЕ"}, []string{"обучения"}},
		{"ฝึก", []string{"ใช้ฝึกแบบจำลอง"}, []string{"ฝน"}},
		{"کتاب", []string{"كتاب", "کِتاب"}, []string{"کتابخانه"}},
		{"a*", nil, nil},
	} {
		if c.yes == nil {
			continue
		}
		w, err := NewWatch([]string{c.phrase})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.yes {
			if got := w.Match(s); !slices.Equal(got, []string{c.phrase}) {
				t.Errorf("%q in %q: %q, want it found", c.phrase, s, got)
			}
		}
		for _, s := range c.no {
			if got := w.Match(s); got != nil {
				t.Errorf("%q in %q: %q, want nothing", c.phrase, s, got)
			}
		}
	}
}

func TestNewWatchErrors(t *testing.T) {
	for _, c := range []struct {
		phrases []string
		want    string
	}{
		{[]string{"fine", ""}, `watch phrase 2 "": has no letters`},
		{[]string{" \t"}, "has no letters"},
		{[]string{"***"}, "asterisk that is not at its end"},
		{[]string{"*"}, "has no letters"},
		{[]string{"a"}, `watch phrase 1 "a": is too short`},
		{[]string{"ab*"}, "too short"},
		{[]string{"tr*ain"}, "asterisk that is not at its end"},
		{[]string{"Straße", "STRASSE"}, `watch phrase 2 "STRASSE": finds the same as "Straße"`},
		{[]string{"\xff"}, "no valid UTF-8"},
	} {
		_, err := NewWatch(c.phrases)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewWatch(%q): %v, want …%s…", c.phrases, err, c.want)
		}
	}
	if _, err := NewWatch([]string{"训", "KI", "AI"}); err != nil {
		t.Errorf("short phrases with a meaning: %v", err)
	}
}

func TestDefaultWatch(t *testing.T) {
	w, err := NewWatch(DefaultWatch())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    string
		want []string
	}{
		{"including for use with and training of our machine learning and artificial intelligence models", []string{"artificial intelligence", "machine learning", "train*"}},
		{"包括用于训练我们的机器学习和人工智能模型", []string{"人工智能", "机器学习", "训练"}},
		{"機械学習および人工知能モデルの学習に使用する", []string{"人工知能", "機械学習", "学習"}},
		{"zum Trainieren unserer KI-Modelle", []string{"train*", "KI", "KI-Modell*", "trainier*"}},
		{"pour entraîner nos modèles d'intelligence artificielle", []string{"intelligence artificielle", "entraîn*"}},
		{"para entrenar nuestros modelos de inteligencia artificial", []string{"inteligencia artificial", "entren*"}},
		{"인공지능 모델의 학습에 사용", []string{"인공지능*", "학습*"}},
		{"We said that the restraint of trade is a constraint on rail.", nil},
	} {
		if diff := cmp.Diff(c.want, w.Match(c.s)); diff != "" {
			t.Errorf("%s:\n%s", c.s, diff)
		}
	}
	if got := (&Watch{}).Match("train"); got != nil {
		t.Errorf("no phrases: %q", got)
	}
}

func FuzzWatch(f *testing.F) {
	f.Add("train*", "we train it")
	f.Add("ﬁn", "fin\u0301")
	f.Add("训练", "\xff训练")
	f.Fuzz(func(t *testing.T, phrase, s string) {
		folded := foldPhrase(s)
		if again := foldPhrase(folded); again != folded {
			t.Errorf("folded twice: %q, once: %q", again, folded)
		}
		w, err := NewWatch([]string{phrase})
		if err != nil {
			return
		}
		if got := w.Match(s); got != nil && !slices.Equal(got, []string{phrase}) {
			t.Errorf("Match = %q", got)
		}
		// Alone between spaces a phrase is always found, and in capitals too.
		for _, in := range []string{s + " " + strings.TrimSuffix(phrase, "*") + " ", strings.ToUpper(strings.TrimSuffix(phrase, "*"))} {
			if foldPhrase(strings.ToUpper(phrase)) == foldPhrase(phrase) && w.Match(in) == nil && !strings.HasSuffix(phrase, "**") {
				t.Errorf("%q not found in %q", phrase, in)
			}
		}
	})
}
