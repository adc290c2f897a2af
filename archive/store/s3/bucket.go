// Package s3 keeps objects in S3-compatible storage. It is the only package
// that links the AWS SDK.
//
// # How an object is put
//
// An object is at most 5 GiB and goes up in one PutObject: the SHA-256 that a
// server reports of a multipart upload is not that of the file. The steps:
//
//	HeadObject     the same bytes there already: done; other bytes: ErrExists
//	check          the body has its SHA-256, before anything is sent
//	PutObject      If-None-Match: *, x-amz-checksum-sha256 (checked by the server), and the same
//	               SHA-256 signed as payload hash and kept as user metadata
//	HeadObject     size and SHA-256 are what they should be; where the server does not tell a
//	               whole object's SHA-256, all of it is read back and hashed
//
// The first step is there because some servers ignore If-None-Match; SelfTest
// finds those. A PutObject whose answer was lost is repeated; the 412 that a
// repetition gets is looked into before it counts as a clash.
//
// # How a mutable object is replaced
//
// By HeadObject, then PutObject with If-Match: <ETag> (If-None-Match: * to
// create). Each write
// carries a random id in its metadata, so that after a lost answer it is
// certain whether the content there is this write's or another's.
//
// # Settings
//
// Path-style addresses, checksums only when required, and the header
// Expect: 100-continue for large bodies work with all servers known to us.
// Retries are our own, by HTTP status, bounded, with jitter; a connection on
// which nothing moves is given up after Config.Timeout.
//
// Self-hosted gateways may answer before the bytes are on the disk: durability
// is as good as the server's.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/fineprint-archive/fineprint/archive/store"
)

const (
	defaultRegion   = "us-east-1"
	credentialsWait = 15 * time.Second
	maxPresign      = 7 * 24 * time.Hour // limit of signature version 4
)

// Bucket is a store.Store in a bucket, or below a prefix of one. It may be
// used from several goroutines.
type Bucket struct {
	cfg    Config // with defaults
	client *s3.Client
	prefix string // "" or Config.Prefix with a slash

	secrets  []string    // never printed
	answered atomic.Bool // the bucket is known to exist
}

// Open prepares a bucket for use, without a request to it: see Check and
// SelfTest. Credentials come from Config, or from the environment
// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and so on) and the AWS
// files; with an Endpoint of one's own, never from the metadata service of a
// cloud machine.
func Open(ctx context.Context, cfg Config) (*Bucket, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	cfg = cfg.withDefaults()
	if cfg.HTTPClient == nil {
		roots, err := rootCAs()
		if err != nil {
			return nil, fmt.Errorf("open bucket %s: %w", cfg.Bucket, err)
		}
		cfg.HTTPClient = newHTTPClient(cfg.Timeout, roots)
	}
	sdk, err := loadSDK(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", cfg.Bucket, err)
	}
	cfg.Region = sdk.Region
	b := &Bucket{cfg: cfg}
	if cfg.Prefix != "" {
		b.prefix = cfg.Prefix + "/"
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsWait)
	defer cancel()
	creds, err := sdk.Credentials.Retrieve(ctx)
	if err != nil {
		// The SDK's words may repeat lines of a credentials file.
		return nil, fmt.Errorf("open bucket %s: %w: there are no usable credentials: set AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws/credentials", cfg.Bucket, store.ErrDenied)
	}
	b.secrets = []string{creds.SecretAccessKey, creds.SessionToken, creds.AccessKeyID}
	b.client = s3.NewFromConfig(sdk, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
		o.UsePathStyle = true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.HTTPClient = cfg.HTTPClient
		o.Retryer = aws.NopRetryer{} // retries are ours: only we know what a 412 then means
		o.ClientLogMode = 0
		o.Logger = sdkLogger(cfg)
	})
	return b, nil
}

// loadSDK reads the environment and the AWS files.
func loadSDK(ctx context.Context, cfg Config) (aws.Config, error) {
	sdk, err := config.LoadDefaultConfig(ctx, func(o *config.LoadOptions) error {
		o.Region = cfg.Region
		o.Credentials = cfg.Credentials
		o.Logger = sdkLogger(cfg)
		if cfg.Endpoint != "" {
			// imds.ClientDisabled: a cloud machine's own credentials are not
			// for other people's servers.
			o.EC2IMDSClientEnableState = 1
		}
		return nil
	})
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return aws.Config{}, fmt.Errorf("%w: AWS_PROFILE names the profile %q, which the AWS files do not have",
			store.ErrDenied, missing.Profile)
	}
	if err != nil {
		return aws.Config{}, fmt.Errorf("%w: the AWS files (~/.aws/config, ~/.aws/credentials) or AWS_ variables of "+
			"the environment cannot be read: correct them", store.ErrDenied)
	}
	if sdk.Region == "" {
		sdk.Region = defaultRegion
	}
	return sdk, nil
}

// sdkLogger sends what the SDK has to say to our logger.
func sdkLogger(cfg Config) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		cfg.Logger.Debug("s3 sdk", "message", fmt.Sprintf(format, v...))
	})
}

// Check asks the server whether the bucket is there and may be used. The error
// names what is wrong and the remedy.
func (b *Bucket) Check(ctx context.Context) error {
	_, f, err := call(ctx, b, 0, func(ctx context.Context) (*s3.HeadBucketOutput, error) {
		return b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.cfg.Bucket})
	})
	if err != nil {
		return fmt.Errorf("check bucket: %w", err)
	}
	if f != nil && f.status == http.StatusNotFound {
		// A HEAD has no body to say what is missing; a listing has.
		if _, err := b.page(ctx, "", b.prefix, 1); err != nil {
			return fmt.Errorf("check bucket: %w", err)
		}
	} else if f != nil {
		return fmt.Errorf("check bucket: %w", f)
	}
	b.answered.Store(true)
	return nil
}

// Presign returns an address from which anyone can download an object until
// ttl (one second to seven days) has passed. It is a secret: do not log it.
// It asks the server nothing; the object may be missing.
func (b *Bucket) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := store.ValidKey(key); err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	if ttl < time.Second || ttl > maxPresign {
		return "", fmt.Errorf("presign %s: %v is not between one second and seven days", key, ttl)
	}
	r, err := s3.NewPresignClient(b.client).PresignGetObject(ctx,
		&s3.GetObjectInput{Bucket: &b.cfg.Bucket, Key: b.key(key)}, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", fmt.Errorf("presign %s: %w", key, b.read(err))
	}
	return r.URL, nil
}

// String returns the address of the bucket, without credentials.
func (b *Bucket) String() string { return b.cfg.String() }

// key returns the full key of an object.
func (b *Bucket) key(key string) *string { return aws.String(b.prefix + key) }

// where names the bucket for errors.
func (b *Bucket) where() string {
	if b.cfg.Endpoint == "" {
		return "s3://" + b.cfg.Bucket + " in " + b.cfg.Region
	}
	return "s3://" + b.cfg.Bucket + " at " + b.cfg.Endpoint
}
