//! The words of mail programs, in the languages that they ship in.
//!
//! Responsible for which word names a field of a mail's head, and which words say that somebody wrote, that a message is the
//! original or that it is forwarded: those of Outlook, Gmail, Apple Mail, Thunderbird and the web mailers. Not responsible for
//! where they have to stand to make a head. Words are in lower case, in the composed form of Unicode (NFC).

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A field of a mail's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    /// Who sent it.
    From,
    /// When.
    Sent,
    /// To whom.
    To,
    /// To whom else.
    Copy,
    /// What about.
    Subject,
}

const FIELDS: [(Field, &str); 5] = [
    (
        Field::From,
        "from, sender, von, absender, de, expéditeur, remitente, remetente, da, mittente, van, afzender, \
         fra, afsender, avsender, från, avsändare, lähettäjä, od, odesílatel, odosielateľ, nadawca, \
         pošiljatelj, šalje, feladó, kimden, gönderen, de la, expeditor, από, αποστολέας, от, отправитель, \
         подател, від, відправник, ад, од, шаље, saatja, kellelt, no, sūtītājs, nuo, siuntėjas, frá, \
         sendandi, nork, igorlea, ó, oddi wrth, digant, nga, dari, daripada, pengirim, từ, người gửi, \
         mula kay, kutoka, 差出人, 送信者, 送信元, 发件人, 寄件者, 寄件人, 發件人, 發送者, 보낸 사람, \
         보낸사람, 발신, 발신자, จาก, מאת, من, المرسل, از, فرستنده, سے, प्रेषक, से, প্রেরক, থেকে, அனுப்புநர், \
         ვისგან, գամ, ումից, kimdən, кімнен",
    ),
    (
        Field::Sent,
        "sent, date, sent at, sent on, gesendet, gesendet am, datum, envoyé, envoyé le, enviado, enviado el, \
         enviado em, enviada em, enviada, fecha, data, inviato, inviato il, verzonden, verzonden op, sendt, \
         dato, skickat, lähetetty, päivämäärä, päiväys, pvm, odesláno, odoslané, dátum, wysłano, wysłane, \
         poslano, poslato, küldve, elküldve, küldés ideje, gönderildi, gönderilme tarihi, gönderim tarihi, \
         tarih, trimis, data trimiterii, dată, στάλθηκε, ημερομηνία, отправлено, дата, изпратено, надіслано, \
         відправлено, даслана, послато, датум, saadetud, saatmisaeg, kuupäev, nosūtīts, datums, išsiųsta, \
         sent þann, dagsetning, bidalia, enviat, dikirim, tanggal, dihantar, tarikh, đã gửi, ngày, gửi lúc, \
         送信日時, 日時, 日付, 送信, 发送时间, 发送日期, 发件时间, 日期, 时间, 寄件日期, 傳送時間, 傳送日期, \
         發送時間, 보낸 날짜, 보낸날짜, 날짜, 보냄, ส่ง, ส่งเมื่อ, วันที่, נשלח, תאריך, تم الإرسال, أرسلت, \
         تاريخ الإرسال, التاريخ, تاریخ, ارسال شده, ارسال‌شده, भेजा गया, दिनांक, তারিখ, თარიღი, ամսաթիվ, \
         göndərildi",
    ),
    (
        Field::To,
        "to, recipient, an, empfänger, à, a, destinataire, para, per a, aan, til, till, vastaanottaja, komu, \
         pre, do, adresat, prima, za, címzett, kime, alıcı, către, προς, кому, до, каму, за, saaja, \
         adressaat, kellele, kam, kam sūtīts, adresāts, iki, nori, hartzailea, ke, kepada, tới, đến, \
         người nhận, pour, 宛先, 受信者, 收件人, 收件者, 받는 사람, 받는사람, 수신, ถึง, אל, עבור, إلى, \
         المستلم, به, گیرنده, प्रति, को, प्राप्तकर्ता, প্রাপক, kimə",
    ),
    (
        Field::Copy,
        "cc, bcc, kopie, copie, copia, cópia, c/c, kopi, kopia, kopio, kopija, másolatot kap, másolat, \
         bilgi, κοιν, копия, копія, копие, dw, ccc, 抄送, 副本, 參考, 참조, สำเนา, עותק, نسخة, رونوشت, \
         reply-to, antwort an, répondre à, responder a",
    ),
    (
        Field::Subject,
        "subject, betreff, betrifft, objet, sujet, asunto, assunto, oggetto, onderwerp, emne, ämne, aihe, \
         předmět, predmet, temat, tárgy, konu, subiect, θέμα, тема, относно, предмет, тэма, teema, tēma, \
         temats, tema, zadeva, efni, gaia, assumpte, perihal, subjek, perkara, chủ đề, tiêu đề, pwnc, ábhar, \
         件名, 主题, 主題, 主旨, 标题, 제목, เรื่อง, หัวข้อ, נושא, الموضوع, موضوع, विषय, বিষয়, თემა, թեմա, \
         mövzu",
    ),
];

/// The field that a word before a colon names.
pub(super) fn field(word: &str) -> Option<Field> {
    let word = folded(word);
    FIELDS.iter().find(|(_, words)| all(words).any(|known| known == word)).map(|(field, _)| *field)
}

/// Words that say that somebody wrote.
const WROTE: &str = "wrote, writes, schrieb, geschrieben, écrit, ecrit, escribió, escribio, escrito, escreveu, scritto, \
     schreef, geschreven, skrev, skreiv, skreau, kirjoitti, írta, irta, napsal, napsala, napísal, napísala, \
     pisze, napisał, napisała, napisal, napisala, napisao, napisa, пишет, написал, написала, писал, пише, \
     написав, напісаў, напісала, написа, напиша, написао, написала, жазды, scris, scrit, yazdı, yazdi, \
     yazıb, έγραψε, escrit, escriure, escribiu, idatzi, kirjutas, rakstīja, rašė, skrifaði, shkroi, \
     ysgrifennodd, scríobh, sgrìobh, skrivet, menulis, viết, sumulat, geskryf, skryf, aliandika, skribis, \
     כתב, כתבה, كتب, كتبت, نوشت, لکھا";

/// The same in scripts that do not part words by blanks, or whose marks part them.
const WROTE_WITHIN: &str = "写道, 寫道, 写于, 写了, 寫於, 寫了, 来信, 來信, 書きました, 書いた, のメール, のメッセージ, 쓴 글, \
     작성, เขียน, បានសរសេរ, გწერთ, დაწერა, գրել է, գրեց, लिखा, लिहिले, লিখেছেন, લખ્યું, எழுதி, రాశారు, എഴുതി, \
     ຂຽນ";

/// Whether some words say that somebody wrote.
pub(super) fn say_written(text: &str) -> bool {
    let text = folded(text);
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.any(|word| all(WROTE).any(|known| known == word)) || within(&text, WROTE_WITHIN)
}

/// What a message is called.
const MESSAGE: &str = "messag, mail, nachricht, mitteilung, appointment, mensaje, mensagem, mensaxe, missatge, mesaj, messadi, \
     bericht, berjocht, boodskap, meddelelse, meddelande, melding, besked, brev, mejl, viesti, zpráv, správ, \
     wiadomo, poruk, sporočil, powěs, üzenet, levél, ileti, i̇leti, сообщени, письм, писмо, ліст, лист, \
     повідомлен, порака, порук, μήνυμα, μηνύματος, kiri, vēstul, ziņojum, laišk, póstur, mezua, neges, thư, \
     tin nhắn, pesan, mesej, mesazhi, kemennadenn, teachtaireacht, teachdaireachd, umyalezo, הודעה, رسالة, \
     الرسالة, پیام, संदेश, বার্তা, સંદેશ, ข้อความ, 메시지, 메일, メッセージ, メール, 邮件, 郵件, 消息, 訊息, \
     წერილი, նամակ, សារ";

/// What the message that is answered is called.
const ANSWERED: &str = "original, origin, orixinal, oorspronk, oarspronk, الأصلي, зыходн, оригинал, оригінал, původní, pôvodn, \
     wreiddiol, oprindelig, opprinnelig, opphavleg, ursprüngli, ursprungli, αρχικ, algne, jatorrizko, \
     alkuperäi, bhunaidh, thùsail, מקורי, मूल, মূল, મૂળ, izvorn, izvirn, eredeti, asli, upprunaleg, საწყისი, \
     원본, oryginaln, исходн, özgün, orijinal, початков, gốc, 原始, 原邮件, 原郵件, 元の, ต้นฉบับ, اصلی, \
     origjinal, sākotnēj, օրիգինալ, orinel";

/// What a message that is passed on is called.
const PASSED_ON: &str = "forward, weitergeleitet, transféré, transfere, réexpédié, reenvia, reunvi, remitido, inoltrat, \
     doorgestuurd, trochstjoerd, encaminhad, vidarebefordra, videresend, vidaresend, välitetty, přeposl, \
     přeposíl, preposl, preposiel, proslijeđen, prosleđen, posredovan, továbbított, letilen, letilmiş, \
     yönlendiril, переадрес, перенаправ, пересыла, переслан, пересила, накіраван, препратен, препраћен, \
     προωθ, przekaz, przesłan, redirecționat, transmis, persiųst, pārsūt, edastatud, birbidal, áframsend, \
     diteruskan, chuyển tiếp, ส่งต่อ, הועבר, معاد, ممر, تمرير, 転送, 转发, 轉寄, 轉發, 전달, अग्रेषित, \
     përcjellë, փոխանցվող, 回复的, 回覆的";

/// Whether some words name a message that is answered or passed on.
pub(super) fn name_a_message(text: &str) -> bool {
    let folded = folded(text);
    within(&folded, MESSAGE) && (within(&folded, ANSWERED) || within(&folded, PASSED_ON))
}

/// Whether some words name a message that is passed on.
pub(super) fn pass_on(text: &str) -> bool {
    let text = folded(text);
    within(&text, MESSAGE) && within(&text, PASSED_ON)
}

fn within(text: &str, parts: &str) -> bool {
    all(parts).any(|part| text.contains(part))
}

/// The words of a list.
fn all(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ")
}

/// A text in lower case and in the composed form.
fn folded(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if plain {
        return Cow::Borrowed(text);
    }
    let lower = text.to_lowercase();
    Cow::Owned(if is_nfc(&lower) { lower } else { lower.nfc().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_written_as_it_is_compared() {
        let fields = FIELDS.iter().map(|(_, words)| *words);
        for word in fields.chain([WROTE, WROTE_WITHIN, MESSAGE, ANSWERED, PASSED_ON]).flat_map(all) {
            assert_eq!(word, folded(word).trim());
            assert!(!word.is_empty());
        }
    }

    #[test]
    fn a_word_is_read_in_any_case_and_normal_form() {
        assert_eq!(field("FRÅN"), Some(Field::From));
        assert_eq!(field("Fra\u{30a}n"), Some(Field::From));
        assert_eq!(field("Re\u{301}pondre a\u{300}"), Some(Field::Copy));
        assert_eq!(field("Risk"), None);
        assert!(say_written("Le 27 nov., x a e\u{301}crit") && !say_written("I rewrote it"));
    }
}
