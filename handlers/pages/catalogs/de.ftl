# Deutsch: kurz, klar, Sie. Knöpfe sind Verben. Kein Ausrufezeichen.

## Jede Seite

skip = Zum Inhalt
title-wrong = Angaben prüfen: { $title }
summary = { $n ->
    [one] Eine Angabe fehlt noch oder stimmt nicht
   *[other] { $n } Angaben fehlen noch oder stimmen nicht
  }
foot-privacy = Datenschutz
foot-terms = Nutzungsbedingungen
signed-in-as = Sie sind angemeldet als { $email }.

## Zeit und Ort

ago-now = gerade eben
ago-minutes = { $n ->
    [one] vor { $n } Minute
   *[other] vor { $n } Minuten
  }
ago-hours = { $n ->
    [one] vor { $n } Stunde
   *[other] vor { $n } Stunden
  }
ago-days = { $n ->
    [one] vor { $n } Tag
   *[other] vor { $n } Tagen
  }
wait-seconds = { $n ->
    [one] { $n } Sekunde
   *[other] { $n } Sekunden
  }
wait-minutes = { $n ->
    [one] { $n } Minute
   *[other] { $n } Minuten
  }
wait-hours = { $n ->
    [one] { $n } Stunde
   *[other] { $n } Stunden
  }
date = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
  } { $year }
date-time = { $date }, { $time } UTC
device = { $browser } auf { $system }
device-unknown = Unbekanntes Gerät
method-password = Passwort
method-passkey = Passkey
method-code = Einmalcode
method-link = Link per E-Mail
method-other = Andere Methode

## Felder

field-email = E-Mail
field-new-email = Neue E-Mail-Adresse
field-password = Passwort
field-current-password = Aktuelles Passwort
field-new-password = Neues Passwort
field-new-password-hint = Lang schlägt kompliziert: Einige Wörter hintereinander sind gut.
field-display-name = Ihr Name
field-display-name-hint = So, wie Sie genannt werden möchten.
field-name = Vollständiger Name
field-given-name = Vorname
field-middle-name = Weiterer Vorname
field-family-name = Nachname
field-nickname = Rufname
field-preferred-username = Kurzname
field-preferred-username-hint = Anwendungen dürfen ihn zeigen; anmelden können Sie sich damit nicht.
field-profile = Profilseite
field-picture = Adresse eines Bildes
field-website = Website
field-gender = Geschlecht
field-birthdate = Geburtsdatum
field-birthdate-hint = Jahr, Monat, Tag, etwa 1985-04-23.
field-zoneinfo = Zeitzone
field-zoneinfo-hint = Etwa Europe/Berlin.
field-locale = Sprache
field-locale-hint = Etwa de oder de-AT.
field-phone-number = Telefon
field-phone-number-hint = Mit Landesvorwahl, etwa +49 30 901820.
field-street-address = Straße und Hausnummer
field-locality = Ort
field-region = Bundesland oder Region
field-postal-code = Postleitzahl
field-country = Land

## Was nicht stimmt

fault-missing = Füllen Sie dieses Feld aus.
fault-too-long = { $n ->
    [one] Höchstens { $n } Zeichen.
   *[other] Höchstens { $n } Zeichen.
  }
fault-too-short = { $n ->
    [one] Mindestens { $n } Zeichen.
   *[other] Mindestens { $n } Zeichen.
  }
fault-not-an-address = Schreiben Sie die ganze Adresse, etwa name@example.com.
fault-mismatch = E-Mail und Passwort passen nicht zusammen.
fault-wrong-password = Das ist nicht Ihr aktuelles Passwort.
fault-common = Viele verwenden dieses Passwort, darum wird es zuerst probiert. Wählen Sie ein anderes.
fault-personal = Darin steckt Ihr Name oder Ihre Adresse. Wählen Sie etwas, das sich daraus nicht erraten lässt.
fault-unchanged = Das haben Sie schon. Wählen Sie etwas anderes.
fault-not-a-url = Schreiben Sie eine ganze Webadresse, etwa https://example.com.
fault-not-a-date = Schreiben Sie das Datum als 1985-04-23.
fault-not-a-zone = Schreiben Sie die Zeitzone als Europe/Berlin.
fault-not-a-locale = Schreiben Sie die Sprache als de oder de-AT.
fault-not-a-phone = Schreiben Sie die Nummer mit Landesvorwahl, etwa +49 30 901820.
fault-unprintable = Darin sind Zeichen, die sich nicht zeigen lassen. Entfernen Sie sie.
fault-expired = Dieses Formular war zu lange oder in einem anderen Browser offen. Senden Sie es noch einmal ab.
fault-limited = Es gab zu viele Versuche. Versuchen Sie es in { $wait } wieder, oder setzen Sie per E-Mail ein neues Passwort.
fault-busy = Gerade ist viel los. Versuchen Sie es in { $wait } wieder.

## Anmelden

login-title = Bei { $place } anmelden
login-button = Anmelden
login-forgot = Vergessen?
login-new-here = Neu hier?
login-register = Konto anlegen
notice-verified = Ihre Adresse ist bestätigt. Melden Sie sich jetzt damit an.
notice-password-set = Ihr neues Passwort gilt. Melden Sie sich jetzt damit an.
notice-sign-in-first = Melden Sie sich an, dann geht es weiter.
notice-session-ended = Ihre Sitzung ist beendet. Melden Sie sich wieder an.
notice-signed-out = Sie sind abgemeldet.

## Konto anlegen

register-title = Konto anlegen
register-button = Konto anlegen
register-known = Schon ein Konto?
register-sign-in = Anmelden
mail-sent-title = Sehen Sie in Ihr Postfach
mail-sent-registration = Wir haben an { $email } geschrieben. Öffnen Sie den Link darin, dann geht es weiter; er gilt 24 Stunden.
mail-sent-recovery = Wenn es zu { $email } ein Konto gibt, ist eine Nachricht mit einem Link unterwegs. Er gilt eine Stunde.
mail-sent-email-change = Wir haben an { $email } geschrieben. Ihre Adresse ändert sich, sobald Sie den Link darin öffnen.
mail-sent-nothing = Nach einigen Minuten nichts da? Sehen Sie im Spam-Ordner nach, und prüfen Sie die Adresse oben.
mail-sent-again = Andere Adresse versuchen
confirm-title = Adresse bestätigen
confirm-text = Ihr Konto bekommt die Adresse { $email }.
confirm-button = Adresse bestätigen
confirm-elsewhere = Sie haben in einem anderen Browser begonnen. Geben Sie das Passwort ein, das Sie dort gewählt haben.
confirm-not-you = Hat jemand anders das begonnen? Schließen Sie die Seite, dann geschieht nichts.
confirm-email-title = Neue Adresse bestätigen
confirm-email-text = Ihr Konto bekommt die Adresse { $email }. Von da an melden Sie sich mit ihr an.
confirm-email-button = Adresse ändern
undo-email-title = Adresse zurückholen
undo-email-text = Ihr Konto bekommt wieder die Adresse { $email }. Alle Sitzungen enden, und Sie setzen ein neues Passwort.
undo-email-button = Zurückholen

## Neues Passwort

recover-title = Neues Passwort setzen
recover-text = Nennen Sie uns Ihre Adresse. Wir senden einen Link, mit dem Sie ein neues Passwort setzen.
recover-button = Link senden
recover-remembered = Wieder eingefallen?
recover-sign-in = Anmelden
new-password-title = Neues Passwort wählen
new-password-text = Für { $email }. Wenn Sie es setzen, enden alle Sitzungen Ihres Kontos.
new-password-button = Passwort setzen
setup-title = Erstes Passwort wählen
setup-text = Für { $email }. Danach können Sie sich anmelden.
setup-button = Passwort setzen

## Abmelden, warten, Ende

logout-title = Abmelden?
logout-text = Auch Anwendungen, die Sie von hier aus geöffnet haben, verlieren den Zugang.
logout-button = Abmelden
logout-stay = Bleiben
logged-out-title = Sie sind abgemeldet
logged-out-text = In diesem Browser kommt niemand weiter, ohne sich anzumelden.
logged-out-again = Wieder anmelden
wait-title = Warten Sie einen Moment
wait-text = Es gab zu viele Versuche. Versuchen Sie es in { $wait } wieder.
wait-recover = Neues Passwort setzen
error-developer = Für alle, die das hier betreiben
error-request-id = Anfrage
error-account = Zu Ihrem Konto
error-link-title = Dieser Link lässt sich nicht verwenden
error-link-text = Er wurde schon benutzt, ist zu alt oder nicht vollständig kopiert. Fordern Sie einen neuen an, wo Sie diesen angefordert haben.
error-taken-title = Diese Adresse gehört zu einem anderen Konto
error-taken-text = Jemand hat sie bestätigt, während der Link unterwegs war. Ihr Konto behält die Adresse, die es hat.
error-member-title = Dort kommen Sie nicht hinein
error-member-text = Diese Organisation hat Sie nicht zugelassen oder lässt Sie nicht mehr hinein. Ihr Konto hier bleibt, wie es ist. Fragen Sie die, die die Anwendung betreiben.
error-form-title = Wir waren nicht sicher, ob das von Ihnen kam
error-form-text = Zu Ihrem Schutz wurde nichts geändert. Gehen Sie zurück, laden Sie die Seite neu, und senden Sie das Formular noch einmal ab. Cookies müssen erlaubt sein.
error-expired-title = Dieses Formular war zu lange offen
error-expired-text = Nichts wurde geändert. Gehen Sie zurück, laden Sie die Seite neu, und senden Sie das Formular noch einmal ab.
error-failed-title = Das hat nicht geklappt
error-failed-text = Der Fehler liegt bei uns und ist vermerkt. Versuchen Sie es gleich noch einmal.
error-unavailable-title = Wir können gerade nicht antworten
error-unavailable-text = Etwas, das wir brauchen, ist nicht erreichbar. Verloren ist nichts; versuchen Sie es gleich noch einmal.
error-not-found-title = Hier ist nichts
error-not-found-text = Die Adresse ist vielleicht unvollständig, oder die Seite ist umgezogen.
error-request-title = Das konnten wir nicht lesen
error-request-text = Was Ihr Browser gesendet hat, ist unvollständig oder beschädigt. Gehen Sie zurück, und versuchen Sie es noch einmal.
error-method-title = So ist diese Seite nicht zu erreichen
error-method-text = Sie ist vielleicht das Ende von etwas, das woanders begann. Beginnen Sie dort noch einmal.
error-large-title = Das war zu viel auf einmal
error-large-text = Was Ihr Browser gesendet hat, ist größer, als wir hier annehmen. Senden Sie weniger.
error-elsewhere-title = Sie sind nicht dort, wohin Sie wollten
error-elsewhere-text = Unter dieser Adresse antworten wir nicht. Unsere ist { $address }.
error-elsewhere-button = Dorthin gehen
error-closed-title = Hier kann sich zurzeit niemand anmelden
error-closed-text = Die Organisation hat den Zugang zu dieser Anwendung geschlossen. Ihr Konto hier bleibt, wie es ist. Fragen Sie, wer die Anwendung betreibt.
error-no-registration-title = Hier werden keine neuen Konten angelegt
error-no-registration-text = Wer ein Konto hat, kann sich anmelden. Um eines zu bekommen, fragen Sie, wer die Anwendung betreibt.
error-no-registration-button = Anmelden

## Konto

nav-account = Konto
nav-profile = Profil
nav-password = Passwort
nav-email = E-Mail
nav-sessions = Sitzungen
nav-deletion = Konto löschen
nav-sign-out = Abmelden
notice-saved = Ihr Profil ist gespeichert.
notice-password-changed = Ihr Passwort ist geändert. Alle anderen Sitzungen sind beendet.
notice-email-asked = Wir haben einen Link an Ihre neue Adresse gesendet. Sie gilt, sobald Sie den Link öffnen.
notice-email-changed = Ihre Adresse ist geändert.
notice-email-taken-back = Ihre Adresse ist wieder die alte. Setzen Sie ein neues Passwort, wenn jemand anders sie geändert hat.
notice-device-ended = Die Sitzung auf { $device } ist beendet.
notice-others-ended = { $n ->
    [one] Eine andere Sitzung ist beendet.
   *[other] { $n } andere Sitzungen sind beendet.
  }
notice-deletion-begun = Ihr Konto wird gelöscht, und Sie sind überall abgemeldet. Wenn Sie es behalten möchten, melden Sie sich vor dem Tag an, der in unserer Nachricht steht.
notice-kept = Ihr Konto bleibt.
profile-title = Ihr Profil
profile-text = Anwendungen sehen davon nur, was Sie ihnen erlauben. Jedes Feld darf leer bleiben.
profile-names = Namen
profile-about = Über Sie
profile-reach = Telefon und Anschrift
profile-button = Profil speichern
password-title = Passwort ändern
password-set-title = Passwort setzen
password-text = Wenn Sie es ändern, enden alle anderen Sitzungen, und Sie bekommen eine Nachricht.
email-title = Ihre E-Mail-Adresse
email-text = Damit melden Sie sich an, und dorthin schreiben wir, wenn sich an Ihrem Konto etwas ändert.
email-now = Ihre Adresse
email-verified = bestätigt
email-unverified = nicht bestätigt
email-pending = offen
email-pending-text = Öffnen Sie den Link, den wir dorthin gesendet haben.
email-change = Adresse ändern
email-button = Link senden
sessions-title = Wo Sie angemeldet sind
sessions-text = Eine beendete Sitzung ist innerhalb von zwei Sekunden überall ungültig.
sessions-here = Dieser Browser
sessions-now = jetzt
sessions-since = seit
sessions-seen = zuletzt benutzt
sessions-near = Ihr Netz gerade
sessions-elsewhere = Anderswo
sessions-none = Sonst sind Sie nirgends angemeldet.
sessions-end = Beenden
sessions-end-others = Alle anderen beenden
deletion-title = Konto löschen
deletion-text = { $n ->
    [0] Ihr Konto wird sofort gelöscht. Es gibt kein Zurück.
    [one] Sie haben { $n } Tag, um es sich anders zu überlegen: Melden Sie sich bis dahin an, und es bleibt. Danach gibt es kein Zurück.
   *[other] Sie haben { $n } Tage, um es sich anders zu überlegen: Melden Sie sich bis dahin an, und es bleibt. Danach gibt es kein Zurück.
  }
deletion-what = Was geschieht
deletion-sessions = Sie werden sofort überall abgemeldet.
deletion-erased = Profil, Adresse, Passwort und Sitzungen werden gelöscht. Anwendungen können Sie nicht mehr nachschlagen.
deletion-kept = Das Sicherheitsprotokoll behält, was geschehen ist, ohne Ihren Namen und Ihre Adresse.
deletion-cancel = Konto behalten
deletion-button = Konto löschen
deleting-title = Ihr Konto wird am { $date } gelöscht
deleting-text = Bis dahin können Sie es behalten, wie es war.
deleting-keep = Konto behalten

## Postfänger

catcher-title = Abgefangene Post
catcher-text = Was dieser Server senden wollte. Nichts hat diesen Rechner verlassen.
catcher-none = Noch wurde nichts gesendet.
catcher-count = { $n ->
    [one] Eine Nachricht
   *[other] { $n } Nachrichten
  }
catcher-back = Alle Nachrichten
catcher-from = Von
catcher-to = An
catcher-html = So sehen es die meisten
catcher-plain = Als reiner Text
