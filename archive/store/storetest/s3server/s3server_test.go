package s3server

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestStart(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := Start(t, Options{ObjectLock: true})
	c := s.Client()
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(s.Bucket), Key: aws.String("a/b"), Body: strings.NewReader("hello"),
	}); err != nil {
		t.Fatalf("PutObject: %v", err)
	}
	if data, err := os.ReadFile(s.Folder + "/a/b"); err != nil || string(data) != "hello" {
		t.Errorf("file of the object = %q, %v, want hello", data, err)
	}
	lock, err := c.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: aws.String(s.Bucket)})
	if err != nil || lock.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" {
		t.Errorf("GetObjectLockConfiguration = %+v, %v, want Enabled", lock, err)
	}
	if now, err := os.Getwd(); err != nil || now != wd {
		t.Errorf("working directory became %q, %v", now, err)
	}
	s.Stop()
	if _, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }); err == nil {
		t.Error("the server answers after Stop")
	}
	if strings.Contains(s.String(), s.SecretKey) || strings.Contains(s.URL("p"), s.SecretKey) {
		t.Error("secret key in a text about the server")
	}
}
