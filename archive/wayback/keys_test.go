package wayback

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindKeys(t *testing.T) {
	const file = "[general]\nsecure = True\n\n[s3]\naccess = fileaccess01\nsecret = filesecret01\n\n[cookies]\naccess = wrong\n"
	tests := []struct {
		name       string
		configured Keys
		env        map[string]string
		files      map[string]string // below home
		want       Keys
		origin     string // a part of it
		err        string // a part of it
	}{
		{name: "nothing", err: "ia configure"},
		{name: "configuration", configured: Keys{"confaccess", "confsecret"}, want: Keys{"confaccess", "confsecret"}, origin: "wayback.access_key"},
		{name: "our environment wins", configured: Keys{"confaccess", "confsecret"},
			env:  map[string]string{"FINEPRINT_WAYBACK_ACCESS_KEY": "envaccess", "FINEPRINT_WAYBACK_SECRET_KEY": " envsecret\n"},
			want: Keys{"envaccess", "envsecret"}, origin: "FINEPRINT_WAYBACK"},
		{name: "environment of ia", env: map[string]string{"IA_ACCESS_KEY_ID": "iaaccess", "IA_SECRET_ACCESS_KEY": "iasecret"},
			files: map[string]string{".ia": file}, want: Keys{"iaaccess", "iasecret"}, origin: "IA_ACCESS_KEY_ID"},
		{name: "half an environment", env: map[string]string{"IA_ACCESS_KEY_ID": "iaaccess"}, files: map[string]string{".ia": file}, err: "only one of the two"},
		{name: "half a configuration", configured: Keys{Secret: "confsecret"}, err: "only one of the two"},
		{name: "file", files: map[string]string{".config/internetarchive/ia.ini": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: "internetarchive"},
		{name: "older file", files: map[string]string{".config/ia.ini": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: "ia.ini"},
		{name: "oldest file", files: map[string]string{".ia": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: ".ia"},
		{name: "order of files", files: map[string]string{".ia": "[s3]\naccess=oldold\nsecret=oldold", ".config/ia.ini": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: "ia.ini"},
		{name: "file without keys is passed over", files: map[string]string{".config/ia.ini": "[general]\n", ".ia": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: ".ia"},
		{name: "named file", env: map[string]string{"IA_CONFIG_FILE": "HOME/my.ini"}, files: map[string]string{"my.ini": file, ".ia": "[s3]\naccess=oldold\nsecret=oldold"},
			want: Keys{"fileaccess01", "filesecret01"}, origin: "my.ini"},
		{name: "named file is missing", env: map[string]string{"IA_CONFIG_FILE": "HOME/my.ini"}, files: map[string]string{".ia": file}, err: "my.ini"},
		{name: "XDG folder", env: map[string]string{"XDG_CONFIG_HOME": "HOME/xdg"}, files: map[string]string{"xdg/internetarchive/ia.ini": file}, want: Keys{"fileaccess01", "filesecret01"}, origin: "xdg"},
		{name: "half a file", files: map[string]string{".ia": "[s3]\naccess = fileaccess01\n"}, err: "both access and secret"},
		{name: "line break in a key", configured: Keys{"confaccess", "conf\r\nX-Evil: 1"}, err: "U+000D"},
		{name: "both keys in one", configured: Keys{"confaccess:confsecret", "confsecret"}, err: "colon"},
		{name: "short", configured: Keys{"a", "b"}, err: "1 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(home, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			lookup := func(name string) (string, bool) {
				value, ok := tt.env[name]
				return strings.ReplaceAll(value, "HOME", home), ok
			}
			got, origin, err := FindKeys(tt.configured, lookup, home)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("FindKeys error = %v, want %q in it", err, tt.err)
				}
				for _, secret := range []string{"confsecret", "X-Evil", "iaaccess", "fileaccess01"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("error %q shows a key", err)
					}
				}
				return
			}
			if err != nil || got != tt.want || !strings.Contains(origin, tt.origin) {
				t.Errorf("FindKeys = %q, %q from %s, %v, want %q from %s", got.Access, got.Secret, origin, err, tt.want.Access, tt.origin)
			}
		})
	}
	if _, _, err := FindKeys(Keys{}, func(string) (string, bool) { return "", false }, ""); !errors.Is(err, ErrNoKeys) {
		t.Errorf("FindKeys of nothing = %v, want ErrNoKeys", err)
	}
}

// TestKeysHidden prints keys in every way that could happen.
func TestKeysHidden(t *testing.T) {
	k := Keys{testAccess, testSecret}
	type holder struct {
		K Keys
		P *Keys
	}
	var b strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, format, k)
		fmt.Fprintf(&b, format, &k)
		fmt.Fprintf(&b, format, holder{k, &k})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "keys", k, "holder", holder{K: k})
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "keys", k, "holder", holder{K: k})
	j, err := json.Marshal(holder{K: k})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	noSecrets(t, b.String())
}

func FuzzIAConfig(f *testing.F) {
	f.Add("[s3]\naccess = a\nsecret = b\n", "accessaccess", "secretsecret")
	f.Add("\ufeff; c\r\n[s3\nACCESS: x=y\n[other]\nsecret=1", "a=b:c", "#;[")
	f.Fuzz(func(t *testing.T, before, access, secret string) {
		k := parseINI(before)
		if strings.ContainsAny(k.Access+k.Secret, "\n") {
			t.Errorf("parseINI(%q) = %q, %q with a line break", before, k.Access, k.Secret)
		}
		want := Keys{access, secret}
		if want.check() != nil {
			return
		}
		text := before + "\n[s3]\naccess = " + access + "\nSecret: " + secret + "\n[end]\naccess = no\n"
		if got := parseINI(text); got != want {
			t.Errorf("parseINI(%q) = %q, %q, want %q, %q", text, got.Access, got.Secret, access, secret)
		}
	})
}
