package wayback

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoKeys says that no keys of an archive.org account are known. Saving
// without keys is answered with 401, so nothing is tried.
var ErrNoKeys = errors.New("no archive.org keys: set wayback.access_key and wayback.secret_key, " +
	"or IA_ACCESS_KEY_ID and IA_SECRET_ACCESS_KEY, or run `ia configure` (keys: https://archive.org/account/s3.php)")

const (
	minKey     = 6         // bytes of one key; real ones have 16
	maxKey     = 256       // bytes of one key
	maxINIFile = 64 * 1024 // bytes of an ia.ini that are read
)

// Keys are the two S3-like keys of an archive.org account. Formatted, logged or
// encoded as JSON they show nothing of themselves.
type Keys struct {
	Access string
	Secret string
}

// String hides the keys.
func (k Keys) String() string {
	if k.Access == "" && k.Secret == "" {
		return "no keys"
	}
	return "keys (hidden)"
}

// GoString hides the keys from %#v.
func (k Keys) GoString() string { return k.String() }

// Format hides the keys from every verb.
func (k Keys) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue hides the keys from log/slog.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText hides the keys from encoders.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// check returns an error, free of the keys themselves, if they cannot stand in
// an Authorization header.
func (k Keys) check() error {
	switch {
	case k == Keys{}:
		return ErrNoKeys
	case k.Access == "":
		return errors.New("archive.org access key is missing, only the secret key is set: copy both from https://archive.org/account/s3.php")
	case k.Secret == "":
		return errors.New("archive.org secret key is missing, only the access key is set: copy both from https://archive.org/account/s3.php")
	}
	for _, part := range []struct{ name, value string }{{"access key", k.Access}, {"secret key", k.Secret}} {
		if len(part.value) < minKey || len(part.value) > maxKey {
			return fmt.Errorf("archive.org %s has %d bytes, want %d to %d: copy it again from https://archive.org/account/s3.php",
				part.name, len(part.value), minKey, maxKey)
		}
		for _, r := range part.value {
			if r <= ' ' || r > '~' || r == '"' || r == '\\' {
				return fmt.Errorf("archive.org %s contains %U, which no key has: copy it again from https://archive.org/account/s3.php", part.name, r)
			}
		}
	}
	if strings.Contains(k.Access, ":") {
		return errors.New("archive.org access key contains a colon: the two keys are given separately")
	}
	return nil
}

// FindKeys looks for the keys in the order
//
//   - FINEPRINT_WAYBACK_ACCESS_KEY and FINEPRINT_WAYBACK_SECRET_KEY,
//   - configured: the values of the configuration file,
//   - IA_ACCESS_KEY_ID and IA_SECRET_ACCESS_KEY,
//   - section [s3] of the configuration of the `ia` tool: the file that
//     IA_CONFIG_FILE names, else $XDG_CONFIG_HOME/internetarchive/ia.ini (or
//     ~/.config/internetarchive/ia.ini), ~/.config/ia.ini, ~/.ia.
//
// The first place that has both wins; a place that has only one of them, or an
// unreadable file, is an error, since silence there would submit under another
// account than the operator thinks. origin names the place, for `doctor` and
// logs. lookupEnv is os.LookupEnv outside of tests; home may be empty.
// The error is ErrNoKeys when no place has any.
func FindKeys(configured Keys, lookupEnv func(string) (string, bool), home string) (keys Keys, origin string, err error) {
	env := func(name string) string {
		value, _ := lookupEnv(name)
		return strings.TrimSpace(value)
	}
	configured.Access, configured.Secret = strings.TrimSpace(configured.Access), strings.TrimSpace(configured.Secret)
	places := []struct {
		origin string
		keys   Keys
	}{
		{"environment FINEPRINT_WAYBACK_ACCESS_KEY and FINEPRINT_WAYBACK_SECRET_KEY",
			Keys{env("FINEPRINT_WAYBACK_ACCESS_KEY"), env("FINEPRINT_WAYBACK_SECRET_KEY")}},
		{"configuration wayback.access_key and wayback.secret_key", configured},
		{"environment IA_ACCESS_KEY_ID and IA_SECRET_ACCESS_KEY",
			Keys{env("IA_ACCESS_KEY_ID"), env("IA_SECRET_ACCESS_KEY")}},
	}
	for _, place := range places {
		switch {
		case place.keys == (Keys{}):
			continue
		case place.keys.Access == "" || place.keys.Secret == "":
			return Keys{}, place.origin, fmt.Errorf("%s: only one of the two is set; set both, or neither", place.origin)
		}
		if err := place.keys.check(); err != nil {
			return Keys{}, place.origin, fmt.Errorf("%s: %w", place.origin, err)
		}
		return place.keys, place.origin, nil
	}
	return findKeyFile(env, home)
}

// findKeyFile looks through the places of the `ia` tool.
func findKeyFile(env func(string) string, home string) (Keys, string, error) {
	named := env("IA_CONFIG_FILE")
	for _, path := range keyFiles(named, env("XDG_CONFIG_HOME"), home) {
		text, err := readKeyFile(path)
		if errors.Is(err, fs.ErrNotExist) && path != named {
			continue
		}
		if err != nil {
			return Keys{}, path, fmt.Errorf("read archive.org keys: %w", err)
		}
		keys := parseINI(text)
		if keys == (Keys{}) {
			continue
		}
		if keys.Access == "" || keys.Secret == "" {
			return Keys{}, path, fmt.Errorf("%s: section [s3] needs both access and secret: run `ia configure`", path)
		}
		if err := keys.check(); err != nil {
			return Keys{}, path, fmt.Errorf("%s: %w", path, err)
		}
		return keys, path, nil
	}
	return Keys{}, "", ErrNoKeys
}

// keyFiles lists the files in the order of the `ia` tool.
func keyFiles(named, xdg, home string) []string {
	if named != "" {
		return []string{named}
	}
	var files []string
	if filepath.IsAbs(xdg) {
		files = append(files, filepath.Join(xdg, "internetarchive", "ia.ini"))
	}
	if home != "" {
		files = append(files,
			filepath.Join(home, ".config", "internetarchive", "ia.ini"),
			filepath.Join(home, ".config", "ia.ini"),
			filepath.Join(home, ".ia"))
	}
	return files
}

// readKeyFile reads at most maxINIFile bytes.
func readKeyFile(path string) (text string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read: nothing can be lost
	b, err := io.ReadAll(io.LimitReader(f, maxINIFile))
	return string(b), err
}

// parseINI reads access and secret from section [s3] of an ini file, in the
// dialect of Python's configparser: names in any case, "=" or ":" between name
// and value, lines starting with "#" or ";" are comments, the last value counts.
func parseINI(text string) Keys {
	var keys Keys
	section := ""
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			name, _, _ := strings.Cut(line[1:], "]")
			section = name
			continue
		}
		i := strings.IndexAny(line, "=:")
		if section != "s3" || i < 0 {
			continue
		}
		name, value := strings.ToLower(strings.TrimSpace(line[:i])), strings.TrimSpace(line[i+1:])
		switch name {
		case "access":
			keys.Access = value
		case "secret":
			keys.Secret = value
		}
	}
	return keys
}
