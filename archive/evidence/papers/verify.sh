#!/bin/sh
# sh verify.sh KEY [TSA-ROOTS]    checks the evidence bundle in this folder.
# KEY: public key of the log (vkey), or a file with it or with a C2SP tlog-policy.
# TSA-ROOTS: PEM file, roots of timestamp authorities. Neither may come from here.
# Ends with 0: all true, 1: something is false, 4: something could not be checked.
# Needs openssl 3, sha256sum (or shasum), gunzip and awk. What it leaves out, and
# fineprint-verify does: handshake proof, consistency, time, wayback/, capture.wacz,
# what leaf, manifest and the numbers of looks say. Papers and texts are no evidence.
set -u; LC_ALL=C; export LC_ALL; code=0
say() { echo "$1	$2"; case $1 in false) code=1 ;; unknown) [ $code = 1 ] || code=4 ;; esac; }
stop() { echo "unknown	$1"; exit 4; }
[ $# -ge 1 ] || { sed -n 2,8p verify.sh; exit 2; }
for tool in openssl gunzip awk sed od find mktemp; do command -v $tool > /dev/null || stop "this needs $tool"; done
case $(openssl version) in OpenSSL\ [3-9]*) ;; *) stop "this needs OpenSSL 3 for Ed25519; here is $(openssl version)" ;; esac
if command -v sha256sum > /dev/null; then sums="sha256sum"; else sums="shasum -a 256"; fi; command -v ${sums%% *} > /dev/null || stop "this needs sha256sum or shasum"
t=$(mktemp -d) || exit 4; trap 'rm -rf "$t"' EXIT; : > "$t/roots"; [ $# -lt 2 ] || cat "$2" > "$t/roots" || exit 2
if [ -f "$1" ]; then cat "$1"; else echo "$1"; fi | awk 'NF == 1 && /\+/ { print "log " $0; next } { print }' > "$t/policy"
case $0 in */verify.sh) cd "${0%/*}" || exit 2 ;; esac
b64() { printf %s "$1" | openssl base64 -d -A; }; text() { sed '/^$/,$d'; } # of a signed note: before the empty line
key() { # BASE64 of a byte and an Ed25519 key -> $t/pub
	{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; b64 "$1" | tail -c 32; } | openssl pkey -pubin -inform DER -pubout -out "$t/pub" 2> /dev/null; }
signed() { openssl pkeyutl -verify -pubin -inkey "$t/pub" -rawin -in "$1" -sigfile "$2" > /dev/null 2>&1; }
included() { # LEAF PROOF: RFC 9162, section 2.1.3.2
	[ -f "$1" ] && [ -f "$2" ] && sed '1,/^$/d' "$2" | text | cmp -s - "$t/text" || return 1
	fn=$(awk '$1 == "index" { print $2; exit }' "$2"); sn=$((size - 1))
	case $fn in '' | *[!0-9]*) return 1 ;; esac
	{ printf '\000'; cat "$1"; } | openssl dgst -sha256 -binary > "$t/r"
	for h in $(awk '/^$/ { exit } on { print } $1 == "index" { on = 1 }' "$2"); do
		[ $sn -gt 0 ] || return 1
		if [ $((fn % 2)) = 1 ] || [ "$fn" = $sn ]; then
			{ printf '\001'; b64 "$h"; cat "$t/r"; } | openssl dgst -sha256 -binary > "$t/n"
			while [ $((fn % 2)) = 0 ] && [ "$fn" != 0 ]; do fn=$((fn / 2)); sn=$((sn / 2)); done
		else { printf '\001'; cat "$t/r"; b64 "$h"; } | openssl dgst -sha256 -binary > "$t/n"; fi
		mv "$t/n" "$t/r"; fn=$((fn / 2)); sn=$((sn / 2))
	done
	[ $sn = 0 ] && [ "$(openssl base64 -A < "$t/r")" = "$root" ]; }
if $sums -c SHA256SUMS > /dev/null 2>&1 && [ -z "$(find . ! -type f ! -type d)" ] && # 1. files
	[ "$(find . -type f ! -path ./SHA256SUMS | sed 's|^\./||' | sort)" = "$(cut -c67- SHA256SUMS | sort)" ]
then say ok "files: as in SHA256SUMS, none too many"; else say false "files: not those of SHA256SUMS"; fi
text < checkpoint > "$t/text"; { read -r origin; read -r size; read -r root; } < "$t/text" || root= # 2. log
case $size in '' | *[!0-9]*) size=0 ;; esac
for f in leaf.json prev.json leaves/*.json refers/*.json; do
	[ -f "$f" ] || [ "$f" = leaf.json ] || continue
	if included "$f" "${f%.json}.tlog-proof"; then say ok "leaf: $f is in the log of $size entries"; else say false "leaf: $f is not proven"; fi; done
n=$(sed -n 's/.*"n":\([0-9]*\),.*/\1/p' leaf.json); for f in leaves/*.json; do k=${f##*/}; [ ! -f "$f" ] || grep "\"n\":${k%.json}," "$f" > /dev/null || say false "series: $f has another number"; done
if [ -d leaves ]; then gap=$(ls leaves | sed -n 's/\.json$//p' | sort -n | awk -v n="$n" 'NR > 1 && $1 != last + 1 { gap = 1 } { last = $1 } END { print gap || last != n - 1 }')
	if [ "$gap" = 0 ]; then say ok "series: every number of leaves/ up to $n"; else say false "series: a look of leaves/ is left out"; fi; fi
log=unknown; for vkey in $(awk -v o="$origin+" '$1 == "log" && index($2, o) == 1 { print $2 }' "$t/policy"); do key "${vkey#*+*+}"
	for s in $(awk -v o="$origin" '$2 == o { print $3 }' checkpoint); do b64 "$s" | tail -c +5 > "$t/s"; ! signed "$t/text" "$t/s" || log=ok; done
done
if [ $log = ok ]; then say ok "log: $origin signed the checkpoint"; else say unknown "log: no key of yours signed the checkpoint of $origin"; fi
yes=" "; [ -f checkpoint.cosigned ] || echo "not present	witnesses: no checkpoint.cosigned" # 3. witnesses
[ ! -f checkpoint.cosigned ] || text < checkpoint.cosigned | cmp -s - "$t/text" || say false "witnesses: another checkpoint"
grep '^witness ' "$t/policy" > "$t/witnesses"; [ -s "$t/witnesses" ] || [ ! -f checkpoint.cosigned ] || say unknown "witnesses: your policy names none"
while read -r _ name vkey _; do key "${vkey#*+*+}"
	for s in $(awk -v o="${vkey%%+*}" '$2 == o { print $3 }' checkpoint.cosigned 2> /dev/null); do
		b64 "$s" > "$t/c"; tail -c 64 "$t/c" > "$t/s"; at=$((0x$(tail -c +5 "$t/c" | head -c 8 | od -An -tx1 | tr -d ' \n')))
		{ printf 'cosignature/v1\ntime %s\n' $at; cat "$t/text"; } > "$t/m"
		if signed "$t/m" "$t/s"; then say ok "witness: $name cosigned at $at (seconds since 1970)"; yes="$yes$name "; else say false "witness: the cosignature of $name is wrong"; fi
	done; done < "$t/witnesses"
met=$(awk -v yes="$yes" '$1 == "witness" { v[$2] = index(yes, " " $2 " ") > 0 } $1 == "quorum" { print $2 == "none" || v[$2] }
	$1 == "group" { c = 0; for (i = 4; i <= NF; i++) c += v[$i]; v[$2] = c >= ($3 == "any" ? 1 : $3 == "all" ? NF - 3 : $3) }' "$t/policy")
[ "${met:-1}" = 1 ] || say unknown "witnesses: the quorum of your policy is not met"
for f in anchors/*.tsr; do # 4. timestamps
	[ -f "$f" ] || { echo "not present	timestamp: none"; break; }
	[ -s "$t/roots" ] || { say unknown "timestamp: $f, not checked without TSA-ROOTS"; continue; }
	at=$(openssl ts -reply -in "$f" -text 2> /dev/null | sed -n 's/^Time stamp: //p')
	epoch=$(echo "$at" | awk '{ m = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $1) + 2) / 3; y = $4; if (m < 3) { y--; m += 12 }
		split($3, c, ":"); print (365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + $2 - 719469) * 86400 + c[1] * 3600 + c[2] * 60 + int(c[3]) }')
	chain=${f%.tsr}.pem; if [ -f "$chain" ]; then set -- -untrusted "$chain"; else set --; fi
	if openssl ts -verify -data checkpoint -in "$f" -CAfile "$t/roots" "$@" -attime "$epoch" > /dev/null 2>&1
	then say ok "timestamp: $f, $at"; else say false "timestamp: $f does not verify under these roots"; fi
done
# 5. records: a manifest names each by its digest, and a leaf the manifest
of() { echo "$(sed -n 's/.*"manifest":{"record":"\([^"]*\)","sha256":"sha256:\([0-9a-f]*\)".*/\2 metadata \1/p' "$1")"; }
members() { sed -n 's/.*"members":\[//p' "$@" | tr '{' '\n' | sed -n 's/^"record":"\([^"]*\)","type":"\([a-z]*\)","sha256":"sha256:\([0-9a-f]*\)".*/\3 \2 \1/p'; }
pos=0; bad=; open=; for f in own far have loose; do : > "$t/$f"; done; for f in leaf.json leaves/*.json; do [ ! -f "$f" ] || of "$f"; done > "$t/looks"
for f in refers/*.json; do
	[ -f "$f" ] || break; gunzip -c "${f%.json}.manifest.gz" > "$t/rec" 2> /dev/null
	case $(of "$f") in "$($sums < "$t/rec" | cut -c1-64) "*) cat "$t/rec" >> "$t/far" ;; *) bad="$bad $f" ;; esac; done
while read -r off len sum type id; do
	case $len in '' | 0* | *[!0-9]*) bad="$bad length"; break ;; esac; [ "$off" = $pos ] || { bad="$bad position"; break; }
	tail -c +$((pos + 1)) capture.warc.gz | head -c "$len" | gunzip -c > "$t/rec" 2> /dev/null; pos=$((pos + len))
	echo "$sum  $t/rec" | $sums -c > /dev/null 2>&1 || bad="$bad $id"; echo "$sum $type $id" >> "$t/have"
	! grep -qxF "$sum $type $id" "$t/looks" || cat "$t/rec" >> "$t/own"
	echo "$sum $type $id $(tr -d '\r' < "$t/rec" | awk '/^WARC\/1/ { n++ } /^$/ { end = 1 } !end && /^WARC-T/ { f[$1] = f[$1] $2 }
		END { u = f["WARC-Target-URI:"]; sub(/^urn:(tls-chain:)?/, "", u); print n f["WARC-Type:"], u }')" >> "$t/loose"
done < members.txt; members "$t/own" "$t/far" | cat "$t/looks" - > "$t/named"
while read -r sum type id kind target; do # one that no manifest names: of a file, or a declaration or chain that one speaks of
	grep -qxF "$sum $type $id" "$t/named" || case $kind=$target in
	1warcinfo=*) ;; 1resource=sha256:*) grep -qF "\"$target\"" "$t/own" "$t/far" || bad="$bad $id" ;; # else one that a revisit repeats:
	*) if grep -qF "\"same_as\":{\"record\":\"$id\"" "$t/own" && ! grep -qF " $id" "$t/named"; then open="$open $id"; else bad="$bad $id"; fi ;; esac
done < "$t/loose"
members "$t/own" > "$t/rec"; for f in leaf.json leaves/"$(ls leaves 2> /dev/null | sort -n | sed -n '/json$/{p;q;}')"; do [ ! -f "$f" ] || of "$f"; done >> "$t/rec"
[ -n "$(of leaf.json)" ] && [ "$pos" = "$(wc -c < capture.warc.gz | tr -d ' ')" ] || bad="$bad length"
while read -r m; do [ -z "$m" ] || grep -qxF "$m" "$t/have" || bad="$bad $m"; done < "$t/rec"
[ -z "$open" ] || say unknown "records: nothing shows that the log holds$open, which a revisit record repeats"
if [ -z "$bad" ]; then say ok "records: as the leaf commits to"; else say false "records: not as the leaf commits to:$bad"; fi
exit $code
