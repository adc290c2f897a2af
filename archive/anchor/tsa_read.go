package anchor

// ReadToken returns what a timestamp says of itself, for people: Time, Accuracy,
// and as Signer the subject of the certificate that it says it was signed with.
// Nothing is verified but the form; VerifyToken is the judge.
func ReadToken(tsr []byte) (TokenInfo, error) {
	p, err := parseToken(tsr)
	if err != nil {
		return TokenInfo{}, err
	}
	return TokenInfo{Time: p.info.Time.UTC(), Accuracy: p.accuracy, Signer: p.signer.Subject.String()}, nil
}
