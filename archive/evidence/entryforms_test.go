package evidence

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fineprint-archive/fineprint/warc"
)

// TestForms compares the functions of forms with their expressions.
func TestForms(t *testing.T) {
	for _, form := range []struct {
		expression string
		is         func(string) bool
		good       string // one more example
	}{
		{`^[a-z][a-z0-9-]{0,39}$`, isErrorCode, "tls-handshake-2"},
		{`^([0-9A-Za-z._-]{1,64}|private:[0-9a-f]{64})$`, isSourceID, "b0e2.4-1_Z"},
		{`^private:[0-9a-f]{64}$`, isCommitment, "private:" + sum("x").Hex()},
		{`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, isRecordID, idA},
		{`^[A-Za-z][A-Za-z0-9+.-]*:`, hasScheme, "view-source+x.1:y"},
	} {
		expression := regexp.MustCompile(form.expression)
		if !form.is(form.good) || form.is("") || form.is("\n") {
			t.Errorf("%s: %q or \"\" is judged wrongly", form.expression, form.good)
		}
		rapid.Check(t, func(t *rapid.T) {
			s := []rune(rapid.OneOf(rapid.StringMatching(form.expression), rapid.Just(form.good), rapid.String(), rapid.SampledFrom([]string{":", "1:", "a:\n"})).Draw(t, "s"))
			if len(s) > 0 && rapid.Bool().Draw(t, "change") {
				s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.RuneFrom([]rune("agGz0-:._+ \n\u00e9")).Draw(t, "to")
			}
			if rapid.Bool().Draw(t, "longer") {
				s = append(s, rapid.RuneFrom([]rune("af0-\n")).Draw(t, "more"))
			}
			if got, want := form.is(string(s)), expression.MatchString(string(s)); got != want {
				t.Fatalf("%s: %q is judged %v, want %v", form.expression, string(s), got, want)
			}
		})
	}
}

// slowCheck is Entry.check up to the rules, read off the type.
func slowCheck(e *Entry) bool {
	set, known := typeFields[e.Type]
	if !known {
		return false
	}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		key, there := entryKeys[i], !v.Field(i).IsZero()
		other := !slices.Contains(set.must, key) && !slices.Contains(set.may, key) && key != "v" && key != "type"
		if there && other || !there && slices.Contains(set.must, key) {
			return false
		}
		switch value := v.Field(i).Interface().(type) {
		case warc.Digest:
			whole := value == warc.Digest{} || value.Algorithm == warc.SHA256 && len(value.Sum) == sha256.Size || value.Algorithm == warc.SHA1 && len(value.Sum) == sha1.Size
			if !whole {
				return false
			}
		default:
			switch v.Field(i).Kind() {
			case reflect.String:
				if !utf8.ValidString(v.Field(i).String()) {
					return false
				}
			case reflect.Int, reflect.Int64:
				if n := v.Field(i).Int(); n < 0 || n >= maxInt {
					return false
				}
			}
		}
	}
	return e.checkRules() == nil
}

// drawEntry returns a sample entry in which some fields have other values, good
// and bad.
func drawEntry(t *rapid.T) Entry {
	samples := sampleEntries()
	names := make([]string, 0, len(samples))
	for name := range samples {
		names = append(names, name)
	}
	slices.Sort(names)
	e := samples[rapid.SampledFrom(names).Draw(t, "sample")]
	v := reflect.ValueOf(&e).Elem()
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		f := v.Field(rapid.IntRange(0, v.NumField()-1).Draw(t, "field"))
		switch f.Interface().(type) {
		case warc.Digest:
			f.Set(reflect.ValueOf(rapid.SampledFrom([]warc.Digest{{}, sum("x"), warc.SumSHA1(nil), {Algorithm: warc.SHA256, Sum: "short"}, {Algorithm: "md5", Sum: "0123456789abcdef"}}).Draw(t, "digest")))
			continue
		case time.Time:
			f.Set(reflect.ValueOf(rapid.SampledFrom([]time.Time{{}, day, day.Add(1), day.AddDate(9000, 0, 0)}).Draw(t, "time")))
			continue
		case []string:
			f.Set(reflect.ValueOf(rapid.SampledFrom([][]string{nil, {idA}, {idA, idB}, {idB, idA}, {"x"}}).Draw(t, "records")))
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\xff", "https://a.example/?\u2028\"\\\b\t\n\f\r\x00\x1f\x7f&<", "http://u@x/", "private:" + sum("q").Hex()})).Draw(t, "text"))
		case reflect.Int, reflect.Int64:
			f.SetInt(rapid.SampledFrom([]int64{0, 1, -1, 404, 1000, maxInt - 1, maxInt}).Draw(t, "number"))
		case reflect.Pointer:
			f.SetZero()
		}
	}
	return e
}

// TestCheckReflected holds that check judges every field, by what the type says.
func TestCheckReflected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t)
		if err := e.check(); (err == nil) != slowCheck(&e) {
			t.Fatalf("check = %v, by reflection %v: %+v", err, slowCheck(&e), e)
		}
	})
	// Each field alone, of a type that does not have it.
	for i, key := range entryKeys {
		e := Entry{Type: "x"}
		f := reflect.ValueOf(&e).Elem().Field(i)
		switch {
		case key == "type":
			continue
		case f.Kind() == reflect.String:
			f.SetString("\xff")
		case f.Kind() == reflect.Int, f.Kind() == reflect.Int64:
			f.SetInt(-1)
		case f.Type() == reflect.TypeFor[warc.Digest]():
			f.Set(reflect.ValueOf(warc.Digest{Algorithm: "md5"}))
		case f.Type() == reflect.TypeFor[time.Time]():
			f.Set(reflect.ValueOf(day))
		case f.Kind() == reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			f.Set(reflect.New(f.Type().Elem()))
		}
		for j, state := range e.states() {
			want := absent
			switch {
			case entryKeys[j] == "type":
				want = present
			case j == i && f.Kind() == reflect.String:
				want = notUTF8
			case j == i && (f.Kind() == reflect.Int || f.Kind() == reflect.Int64):
				want = notInt
			case j == i && f.Type() == reflect.TypeFor[warc.Digest]():
				want = notDigest
			case j == i:
				want = present
			}
			if state != want {
				t.Errorf("with a bad %s, the state of %s is %d, want %d", key, entryKeys[j], state, want)
			}
		}
	}
}

// TestWriteReflected holds that an entry is written as encoding/json has it, but
// for the two characters that RFC 8785 leaves alone.
func TestWriteReflected(t *testing.T) {
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t)
		got, err := e.Encode()
		if err != nil {
			return
		}
		written++
		e.Version = EntryVersion
		want, err := marshalCanonical(e)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("Encode = %s\nwant %s (%v)", got, want, err)
		}
	})
	if written < 10 {
		t.Errorf("only %d entries were good", written)
	}
}

// TestAppendLeaf holds that AppendLeaf gives what FromManifest and Encode do.
func TestAppendLeaf(t *testing.T) {
	good := &warc.Manifest{
		Version: warc.ManifestVersion, Source: "b0e2411edd372d3b", URL: "https://x.example/tos", FinalURL: "https://x.example/b?secret", Time: day.In(time.FixedZone("", 3600)), N: 2,
		Prev: &warc.Prev{Manifest: idB, SHA256: sum("prev")}, Result: warc.Captured, Status: 200, Bytes: warc.BytesSame, SameAs: &warc.Reference{Record: idB},
		Payload: &warc.Payload{SHA256: sum("p"), SHA1: warc.SumSHA1(nil)}, TLS: &warc.Session{Chain: sum("c")}, Declaration: sum("d"), Vantage: "x", Tool: "y",
	}
	at := Place{"warc/2024/10/b.warc.gz", 12, 34}
	bad := *good
	bad.Source = "no id"
	for _, m := range []*warc.Manifest{good, &bad} {
		var want []byte
		e, wantErr := FromManifest(m, idA, sum("m"), at)
		if wantErr == nil {
			want, wantErr = e.Encode()
		}
		got, err := AppendLeaf([]byte("before "), m, idA, sum("m"), at)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("AppendLeaf: %v, want %v", err, wantErr)
		}
		if rest, ok := bytes.CutPrefix(got, []byte("before ")); err == nil && (!ok || !bytes.Equal(rest, want)) {
			t.Errorf("AppendLeaf: %s", cmp.Diff(fmt.Sprintf("before %s", want), string(got)))
		}
	}
}

func BenchmarkLeaf(b *testing.B) {
	e := sampleEntries()["look"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
