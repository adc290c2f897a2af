package s3

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// Config says where a bucket is and how patient to be with its server. Bucket
// is needed; everything else has a default.
type Config struct {
	Bucket   string
	Prefix   string // put before every key, without slashes at its ends; "" for none
	Endpoint string // "http://host:port" or "https://host"; "" for Amazon S3 (or AWS_ENDPOINT_URL)
	Region   string // "" for that of the environment or AWS files, else "us-east-1"

	// ObjectLockDays protects objects put with Retain for so many days by
	// Object Lock, which the bucket must have been made with; 0 for not.
	ObjectLockDays int
	// ObjectLockMode is "COMPLIANCE" (nobody can shorten it; the default) or
	// "GOVERNANCE" (users with a special permission can).
	ObjectLockMode string

	// Credentials is nil for those of the environment and the AWS files.
	Credentials aws.CredentialsProvider
	// HTTPClient is nil for one of our own that gives up silent connections.
	// It must not follow redirects.
	HTTPClient *http.Client
	// Logger gets retries (Warn) and the SDK's messages (Debug); nil for none.
	Logger *slog.Logger

	Attempts   int           // tries of one request; 0 for 5
	Timeout    time.Duration // silence after which a try is given up; 0 for 60 s
	RetryDelay time.Duration // mean pause before the second try, doubled each time up to 10 s; 0 for 500 ms

	pageSize int32 // keys per page of a listing; 0 for the server's limit
}

const (
	compliance = "COMPLIANCE"
	governance = "GOVERNANCE"

	maxPrefix = 256 // bytes; with a key it stays below the 1,024 bytes of S3
)

// urlForm is repeated in errors about addresses.
const urlForm = "s3://bucket/prefix?endpoint=https://host&region=name"

var errCredentials = errors.New("the address contains credentials: take them out (and change them, they are " +
	"no secret any more) and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use ~/.aws/credentials")

// ParseURL reads an address such as
//
//	s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1
//
// Prefix, endpoint, region and lock_mode (compliance or governance) may be
// left out. Unknown parameters are errors. Credentials have no place in an
// address, which ends up in logs and histories: an address with some is
// refused, without being repeated in the error.
func ParseURL(address string) (Config, error) {
	// url.Parse repeats its input in errors; look for secrets before it.
	if hasCredentials(address) {
		return Config{}, fmt.Errorf("S3 address: %w", errCredentials)
	}
	u, err := url.Parse(address)
	if err != nil {
		return Config{}, fmt.Errorf("S3 address %q is not a URL of the form %s", address, urlForm)
	}
	if u.Scheme != "s3" || u.Opaque != "" || u.Fragment != "" {
		return Config{}, fmt.Errorf("S3 address %q does not have the form %s", address, urlForm)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("S3 address %q: the part after ? cannot be read", address)
	}
	c := Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return Config{}, fmt.Errorf("S3 address %q: %s must stand there once, with a value", address, name)
		}
		switch name {
		case "endpoint":
			c.Endpoint = strings.TrimSuffix(values[0], "/")
		case "region":
			c.Region = values[0]
		case "lock_mode":
			c.ObjectLockMode = strings.ToUpper(values[0])
		default:
			return Config{}, fmt.Errorf("S3 address %q: unknown parameter %q (known: endpoint, region, lock_mode)", address, name)
		}
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("S3 address %q: %w", address, err)
	}
	return c, nil
}

// hasCredentials tells whether an address looks as if it held secrets: before
// an @, or in a parameter with a telling name.
func hasCredentials(address string) bool {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	authority, _, _ := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	if strings.Contains(authority, "@") {
		return true
	}
	_, query, _ := strings.Cut(rest, "?")
	lower := strings.ToLower(query)
	if plain, err := url.QueryUnescape(lower); err == nil {
		lower = plain
	}
	for param := range strings.FieldsFuncSeq(lower, func(r rune) bool { return r == '&' || r == ';' || r == '?' }) {
		name, value, _ := strings.Cut(param, "=")
		for _, word := range []string{"key", "secret", "token", "password", "credential", "signature"} {
			if strings.Contains(name, word) {
				return true
			}
		}
		if name == "endpoint" && strings.Contains(value, "@") {
			return true
		}
	}
	return false
}

// String returns the address that ParseURL reads, which holds no secret.
func (c Config) String() string {
	u := url.URL{Scheme: "s3", Host: c.Bucket}
	if c.Prefix != "" {
		u.Path = "/" + c.Prefix
	}
	q := url.Values{}
	for name, value := range map[string]string{"endpoint": c.Endpoint, "region": c.Region, "lock_mode": strings.ToLower(c.ObjectLockMode)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// check returns an error that names the first field with a bad value.
func (c Config) check() error {
	if err := checkBucket(c.Bucket); err != nil {
		return err
	}
	if c.Prefix != "" {
		if err := store.ValidKey(c.Prefix); err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
		if len(c.Prefix) > maxPrefix {
			return fmt.Errorf("prefix has %d bytes, at most %d are allowed", len(c.Prefix), maxPrefix)
		}
	}
	if err := checkEndpoint(c.Endpoint); err != nil {
		return err
	}
	for i := range len(c.Region) {
		if b := c.Region[i]; !(b == '-' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z') || len(c.Region) > 64 {
			return fmt.Errorf("region %q is not a name such as us-east-1", c.Region)
		}
	}
	if c.ObjectLockDays < 0 || c.ObjectLockDays > 36500 {
		return fmt.Errorf("object lock of %d days is not between 0 and 36500", c.ObjectLockDays)
	}
	if m := c.ObjectLockMode; m != "" && m != compliance && m != governance {
		return fmt.Errorf("object lock mode %q is neither compliance nor governance", m)
	}
	if c.Attempts < 0 || c.Timeout < 0 || c.RetryDelay < 0 {
		return errors.New("attempts, timeout and retry delay must not be negative")
	}
	return nil
}

// checkBucket follows "Bucket naming rules" of Amazon S3, with the upper case
// and underscores that other servers allow left out.
func checkBucket(name string) error {
	if name == "" {
		return fmt.Errorf("no bucket is named; the form is %s", urlForm)
	}
	ok := len(name) >= 3 && len(name) <= 63 && name[0] != '-' && name[len(name)-1] != '-' &&
		name[0] != '.' && name[len(name)-1] != '.' && !strings.Contains(name, "..")
	for i := 0; ok && i < len(name); i++ {
		b := name[i]
		ok = b == '-' || b == '.' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z'
	}
	if !ok {
		return fmt.Errorf("bucket name %q is not 3 to 63 of a-z 0-9 - . with a letter or digit at both ends", name)
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil || u.Path != "" {
		return fmt.Errorf("endpoint %q is not of the form https://host or http://host:port", endpoint)
	}
	return nil
}

// withDefaults fills what may be left out.
func (c Config) withDefaults() Config {
	if c.ObjectLockMode == "" {
		c.ObjectLockMode = compliance
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.RetryDelay == 0 {
		c.RetryDelay = 500 * time.Millisecond
	}
	return c
}
