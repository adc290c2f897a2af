package terms

import "testing"

// languageSamples are two sentences of a contract in each language.
var languageSamples = map[string]string{
	"en": "You may use the service only if you accept these terms. We will not share your data with anyone for any other purpose.",
	"de": "Sie dürfen den Dienst nur nutzen, wenn Sie diese Bedingungen annehmen. Wir geben Ihre Daten nicht an Dritte weiter und werden sie auf Wunsch löschen.",
	"fr": "Vous ne pouvez utiliser le service que si vous acceptez ces conditions. Nous ne partageons pas vos données avec des tiers pour d'autres fins.",
	"es": "Usted solo puede usar el servicio si acepta estas condiciones. No compartimos sus datos con terceros para otros fines que los de este contrato.",
	"it": "Può usare il servizio solo se accetta queste condizioni. Non condividiamo i suoi dati con terzi per scopi diversi da quelli del contratto.",
	"pt": "Você só pode usar o serviço se aceitar estas condições. Não partilhamos os seus dados com terceiros para outros fins que não os do contrato.",
	"nl": "U mag de dienst alleen gebruiken als u deze voorwaarden aanvaardt. Wij delen uw gegevens niet met anderen voor een ander doel dan dat van het contract.",
	"da": "Du må kun bruge tjenesten, hvis du accepterer disse vilkår. Vi deler ikke dine oplysninger med andre, og vi sletter dem, når du beder os om det, af hensyn til dig.",
	"sv": "Du får använda tjänsten bara om du godtar dessa villkor. Vi delar inte dina uppgifter med andra och vi raderar dem när du ber om det.",
	"fi": "Voit käyttää palvelua vain, jos hyväksyt nämä ehdot. Emme jaa tietoja muille, ja ne poistetaan, kun pyydät sitä, tai sopimuksen mukaan.",
	"pl": "Możesz korzystać z usługi tylko wtedy, gdy akceptujesz te warunki. Nie udostępniamy danych innym osobom i usuwamy je na Twoje żądanie, o ile prawo nie stanowi inaczej.",
	"cs": "Službu můžete používat jen tehdy, když přijmete tyto podmínky. Vaše údaje nesdílíme s jinými osobami a na vaši žádost je smažeme, pokud zákon nestanoví jinak, nebo po skončení smlouvy.",
	"tr": "Hizmeti ancak bu şartları kabul ederseniz kullanabilirsiniz. Verilerinizi başka amaçlar için üçüncü kişilerle paylaşmayız ve isteğiniz üzerine sileriz; bu da sözleşme ile olur.",
	"vi": "Bạn chỉ có thể sử dụng dịch vụ khi bạn chấp nhận các điều khoản này. Chúng tôi không chia sẻ dữ liệu của bạn với người khác.",
	"id": "Anda hanya dapat menggunakan layanan ini jika Anda menerima ketentuan ini. Kami tidak membagikan data Anda kepada pihak lain untuk tujuan yang lain.",
	"ru": "Вы можете пользоваться сервисом, только если принимаете эти условия. Мы не передаём ваши данные третьим лицам.",
	"uk": "Ви можете користуватися сервісом, лише якщо приймаєте ці умови. Ми не передаємо ваші дані третім особам.",
	"el": "Μπορείτε να χρησιμοποιείτε την υπηρεσία μόνο εάν αποδέχεστε αυτούς τους όρους. Δεν μοιραζόμαστε τα δεδομένα σας με άλλους.",
	"ar": "لا يجوز لك استخدام الخدمة إلا إذا قبلت هذه الشروط. نحن لا نشارك بياناتك مع الآخرين لأي غرض آخر.",
	"fa": "شما تنها در صورتی می\u200cتوانید از این خدمات استفاده کنید که این شرایط را بپذیرید. ما داده\u200cهای شما را با دیگران به اشتراک نمی\u200cگذاریم.",
	"he": "מותר לך להשתמש בשירות רק אם אתה מקבל את התנאים האלה. איננו משתפים את הנתונים שלך עם אחרים לשום מטרה אחרת.",
	"hi": "आप सेवा का उपयोग तभी कर सकते हैं जब आप इन शर्तों को स्वीकार करते हैं। हम आपका डेटा दूसरों के साथ साझा नहीं करते हैं।",
	"ja": "お客様は、本規約に同意した場合に限り、本サービスをご利用いただけます。当社は、お客様のデータを第三者と共有しません。",
	"ko": "귀하는 본 약관에 동의하는 경우에만 서비스를 이용할 수 있습니다. 당사는 귀하의 데이터를 제삼자와 공유하지 않습니다.",
	"th": "คุณใช้บริการนี้ได้ก็ต่อเมื่อคุณยอมรับข้อกำหนดเหล่านี้ เราจะไม่เปิดเผยข้อมูลของคุณแก่ผู้อื่น เว้นแต่กฎหมายกำหนด",

	"zh-Hans": "只有接受这些条款，您才可以使用本服务。我们不会为其他目的与第三方共享您的数据。",
	"zh-Hant": "只有接受這些條款，您才可以使用本服務。我們不會為其他目的與第三方共享您的資料。",
}

func TestLanguage(t *testing.T) {
	for want, sample := range languageSamples {
		text := &Text{Blocks: []Block{{Text: sample}}}
		for _, declared := range []string{"", "xx invalid", "en"} {
			if got := Language(text, declared); got != want {
				t.Errorf("Language(%.20s…, %q) = %q, want %q", sample, declared, got, want)
			}
		}
	}
}

func TestLanguageDeclared(t *testing.T) {
	of := func(langs ...string) *Text {
		text := &Text{}
		for _, l := range langs {
			text.Blocks = append(text.Blocks, Block{Text: languageSamples[l]})
		}
		return text
	}
	for _, c := range []struct {
		name     string
		text     *Text
		declared string
		want     string
	}{
		{"region", of("pt"), "pt-br", "pt-BR"},
		{"underscore", of("en"), "en_US", "en-US"},
		{"list", of("fr"), "fr-CA, en", "fr-CA"},
		{"wrong", of("en"), "br", "en"},
		{"wrong script", of("ja"), "en", "ja"},
		{"chinese of a region", of("zh-Hans"), "zh-CN", "zh-CN"},
		{"chinese of a region in the other script", of("zh-Hans"), "zh-TW", "zh-Hans"},
		{"chinese alone", of("zh-Hant"), "zh", "zh-Hant"},
		{"too short", &Text{Blocks: []Block{{Text: "Terms"}}}, "de", "de"},
		{"too short, not declared", &Text{Blocks: []Block{{Text: "Terms"}}}, "", ""},
		{"empty", &Text{}, "", ""},
		{"mixed", of("de", "de", "en"), "", "de"},
		{"mixed, the smaller declared", of("de", "de", "en"), "en-GB", "de"},
		{"japanese with names in Latin letters", &Text{Blocks: []Block{{Text: "Example Corporation と Example Service の利用規約です。Example ID をお持ちの方に適用します。"}}}, "", "ja"},
		{"a language that is not known here", &Text{Blocks: []Block{{Text: "Ni rajtas uzi viajn datumojn nur por tiuj celoj, por kiuj vi donis ilin al ni, kaj por neniu alia celo en la mondo."}}}, "eo", "eo"},
	} {
		if got := Language(c.text, c.declared); got != c.want {
			t.Errorf("%s: Language = %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzLanguage(f *testing.F) {
	f.Add("Le service et la vie", "fr")
	f.Add("利用規約\xff", "zh-Hant-TW")
	f.Fuzz(func(t *testing.T, s, declared string) {
		text := &Text{Blocks: []Block{{Text: s}, {Text: languageSamples["ko"]}}}
		got := Language(text, declared)
		if again := Language(text, got); got != "" && again != got {
			t.Errorf("Language(%q, %q) = %q, and declared as that %q", s, declared, got, again)
		}
	})
}
