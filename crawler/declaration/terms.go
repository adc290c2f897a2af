package declaration

import (
	"slices"
	"strings"
)

// termsTypes are the 44 terms types of Open Terms Archive (terms-types 2.2.0),
// each with the names that are read as the same.
var termsTypes = []struct {
	name    string
	aliases []string
}{
	{"Terms of Service", []string{"ToS", "Terms", "Terms of Use", "Terms and Conditions", "Terms & Conditions", "Conditions of Use", "Terms of Service Agreement", "User Agreement", "User Terms", "EULA", "End User License Agreement", "Nutzungsbedingungen", "AGB", "Allgemeine Geschäftsbedingungen", "CGU", "Conditions générales d'utilisation", "Condiciones de uso", "Términos de servicio", "利用規約", "服务条款", "服務條款", "用户协议", "用户服务协议", "服务协议", "이용약관", "شروط الخدمة", "Условия использования"}},
	{"Privacy Policy", []string{"Privacy", "Privacy Notice", "Privacy Statement", "Data Policy", "Datenschutzerklärung", "Datenschutz", "Datenschutzhinweise", "Politique de confidentialité", "Política de privacidad", "プライバシーポリシー", "隐私政策", "隱私政策", "隱私權政策", "隐私权政策", "개인정보 처리방침", "سياسة الخصوصية", "Политика конфиденциальности"}},
	{"Imprint", []string{"Impressum", "Legal Notice", "Mentions légales"}},
	{"Trackers Policy", []string{"Cookie Policy", "Cookies Policy", "Cookies", "Cookie Notice", "Cookie Statement", "Cookie-Richtlinie", "Politique relative aux cookies"}},
	{"Developer Terms", []string{"API Terms", "API Terms of Service", "Developer Agreement", "Developer Policy"}},
	{"Community Guidelines", []string{"Community Standards", "Community Rules", "Community Policy", "Code of Conduct", "社区规范", "社区公约", "コミュニティガイドライン"}},
	{"Deceased Users", []string{"Deceased Users Policy"}},
	{"Acceptable Use Policy", []string{"AUP", "Acceptable Use", "Usage Policy", "Usage Policies", "Fair Use Policy"}},
	{"Restricted Use Policy", nil},
	{"Commercial Terms", []string{"Business Terms", "Business Terms of Service", "Business Terms of Use"}},
	{"Copyright Claims Policy", []string{"Copyright Policy", "DMCA Policy", "DMCA", "Intellectual Property Policy"}},
	{"Law Enforcement Guidelines", []string{"Law Enforcement", "Law Enforcement Requests"}},
	{"Human Rights Policy", nil},
	{"In-App Purchases Policy", []string{"In-App Purchase Policy"}},
	{"Review Guidelines", []string{"App Review Guidelines", "App Store Review Guidelines"}},
	{"Brand Guidelines", []string{"Trademark Policy", "Trademark Guidelines"}},
	{"Quality Guidelines", nil},
	{"Data Controller Agreement", nil},
	{"Data Processor Agreement", []string{"Data Processing Agreement", "Data Processing Addendum", "DPA"}},
	{"User Consent Policy", nil},
	{"Closed Captioning Policy", nil},
	{"Seller Warranty", nil},
	{"Single Sign-On Policy", nil},
	{"Vulnerability Disclosure Policy", []string{"Responsible Disclosure Policy", "Security Disclosure Policy"}},
	{"Live Policy", nil},
	{"Complaints Policy", nil},
	{"Conditions of Carriage", []string{"General Conditions of Carriage", "Beförderungsbedingungen"}},
	{"General Conditions of Sale", []string{"Terms of Sale", "Conditions of Sale", "CGV", "Conditions générales de vente"}},
	{"Marketplace Buyers Conditions", nil},
	{"Marketplace Sellers Conditions", nil},
	{"Ranking Parameters Description", nil},
	{"Premium Partner Conditions", nil},
	{"Platform to Business Notice", nil},
	{"Business Mediation Policy", nil},
	{"Business Privacy Policy", nil},
	{"Editorial Policy", nil},
	{"Anti-corruption Policy", []string{"Anti-bribery Policy"}},
	{"Accessibility Statement", []string{"Accessibility"}},
	{"Hyperlinks Policy", nil},
	{"Whistleblower Policy", []string{"Whistleblowing Policy"}},
	{"Affiliate Agreement", []string{"Affiliate Terms", "Affiliate Program Agreement"}},
	{"Service Level Agreement", []string{"SLA"}},
	{"Content Monetisation Policy", []string{"Content Monetization Policy", "Monetisation Policy", "Monetization Policy"}},
	{"Advertising Content Policy", []string{"Advertising Policy", "Advertising Policies", "Ads Policy"}},
}

// TermsTypes returns the names of the 44 terms types of Open Terms Archive, in
// its order.
func TermsTypes() []string {
	names := make([]string, len(termsTypes))
	for i, t := range termsTypes {
		names[i] = t.name
	}
	return names
}

// TermsType returns the terms type that a name or alias stands for and whether
// there is one. Case, spaces and hyphens do not count.
func TermsType(name string) (string, bool) {
	for _, t := range termsTypes {
		if t.name == name {
			return name, true
		}
	}
	folded := plain(name)
	for _, t := range termsTypes {
		if plain(t.name) == folded || slices.ContainsFunc(t.aliases, func(a string) bool { return plain(a) == folded }) {
			return t.name, true
		}
	}
	return strings.TrimSpace(name), false
}
