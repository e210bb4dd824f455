# Français : court, clair, vous. Les boutons sont des verbes. Pas de point d'exclamation.

## Toutes les pages

skip = Aller au contenu
title-wrong = Vérifiez le formulaire : { $title }
summary = { $n ->
    [one] Un champ est à revoir
   *[other] { $n } champs sont à revoir
  }
foot-privacy = Confidentialité
foot-terms = Conditions
signed-in-as = Vous êtes connecté avec { $email }.

## Temps et lieux

ago-now = à l’instant
ago-minutes = { $n ->
    [one] il y a { $n } minute
   *[other] il y a { $n } minutes
  }
ago-hours = { $n ->
    [one] il y a { $n } heure
   *[other] il y a { $n } heures
  }
ago-days = { $n ->
    [one] il y a { $n } jour
   *[other] il y a { $n } jours
  }
wait-seconds = { $n ->
    [one] { $n } seconde
   *[other] { $n } secondes
  }
wait-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
  }
wait-hours = { $n ->
    [one] { $n } heure
   *[other] { $n } heures
  }
date = { $day ->
    [1] 1er
   *[other] { $day }
  } { $month ->
    [1] janvier
    [2] février
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juillet
    [8] août
    [9] septembre
    [10] octobre
    [11] novembre
   *[12] décembre
  } { $year }
date-time = { $date }, { $time } UTC
device = { $browser } sur { $system }
device-unknown = Appareil inconnu
method-password = Mot de passe
method-passkey = Clé d’accès
method-code = Code à usage unique
method-link = Lien par courriel
method-other = Autre méthode

## Champs

field-email = Adresse e-mail
field-new-email = Nouvelle adresse e-mail
field-password = Mot de passe
field-current-password = Mot de passe actuel
field-new-password = Nouveau mot de passe
field-new-password-hint = Mieux vaut long que compliqué : quelques mots à la suite conviennent bien.
field-display-name = Votre nom
field-display-name-hint = Comme vous souhaitez être appelé.
field-name = Nom complet
field-given-name = Prénom
field-middle-name = Deuxième prénom
field-family-name = Nom de famille
field-nickname = Surnom
field-preferred-username = Nom court
field-preferred-username-hint = Les applications peuvent l’afficher ; il ne sert pas à se connecter.
field-profile = Page de profil
field-picture = Adresse d’une image
field-website = Site web
field-gender = Genre
field-birthdate = Date de naissance
field-birthdate-hint = Année, mois, jour, comme 1985-04-23.
field-zoneinfo = Fuseau horaire
field-zoneinfo-hint = Comme Europe/Paris.
field-locale = Langue
field-locale-hint = Comme fr ou fr-CA.
field-phone-number = Téléphone
field-phone-number-hint = Avec l’indicatif du pays, comme +33 1 40 20 50 50.
field-street-address = Numéro et rue
field-locality = Ville
field-region = Région
field-postal-code = Code postal
field-country = Pays

## Ce qui ne va pas

fault-missing = Remplissez ce champ.
fault-too-long = { $n ->
    [one] { $n } caractère au plus.
   *[other] { $n } caractères au plus.
  }
fault-too-short = { $n ->
    [one] Au moins { $n } caractère.
   *[other] Au moins { $n } caractères.
  }
fault-not-an-address = Écrivez l’adresse entière, comme nom@example.com.
fault-mismatch = L’adresse et le mot de passe ne correspondent pas.
fault-wrong-password = Ce n’est pas votre mot de passe actuel.
fault-common = Beaucoup de gens ont ce mot de passe, on l’essaie donc en premier. Choisissez-en un autre.
fault-personal = Il contient votre nom ou votre adresse. Choisissez-en un qui ne se devine pas ainsi.
fault-unchanged = C’est déjà celui que vous avez. Choisissez-en un autre.
fault-not-a-url = Écrivez une adresse web entière, comme https://example.com.
fault-not-a-date = Écrivez la date comme 1985-04-23.
fault-not-a-zone = Écrivez le fuseau comme Europe/Paris.
fault-not-a-locale = Écrivez la langue comme fr ou fr-CA.
fault-not-a-phone = Écrivez le numéro avec l’indicatif du pays, comme +33 1 40 20 50 50.
fault-unprintable = Il contient des caractères qui ne s’affichent pas. Retirez-les.
fault-expired = Ce formulaire est resté ouvert trop longtemps ou dans un autre navigateur. Envoyez-le de nouveau.
fault-limited = Il y a eu trop d’essais. Réessayez dans { $wait }, ou choisissez un nouveau mot de passe par courriel.
fault-busy = Il y a beaucoup à faire en ce moment. Réessayez dans { $wait }.

## Connexion

login-title = Se connecter à { $place }
login-button = Se connecter
login-forgot = Oublié ?
login-new-here = Nouveau ici ?
login-register = Créer un compte
notice-verified = Votre adresse est confirmée. Connectez-vous maintenant avec elle.
notice-password-set = Votre nouveau mot de passe est en place. Connectez-vous maintenant avec lui.
notice-sign-in-first = Connectez-vous pour continuer.
notice-session-ended = Votre session est terminée. Connectez-vous de nouveau.
notice-signed-out = Vous êtes déconnecté.

## Créer un compte

register-title = Créer un compte
register-button = Créer le compte
register-known = Déjà un compte ?
register-sign-in = Se connecter
mail-sent-title = Regardez vos courriels
mail-sent-registration = Nous avons écrit à { $email }. Ouvrez le lien du message pour continuer ; il est valable 24 heures.
mail-sent-recovery = Si { $email } a un compte, un message avec un lien est en route. Il est valable une heure.
mail-sent-email-change = Nous avons écrit à { $email }. Votre adresse change dès que vous ouvrez le lien du message.
mail-sent-nothing = Rien après quelques minutes ? Regardez dans les indésirables, et vérifiez l’adresse ci-dessus.
mail-sent-again = Essayer une autre adresse
confirm-title = Confirmer votre adresse
confirm-text = Votre compte aura l’adresse { $email }.
confirm-button = Confirmer l’adresse
confirm-elsewhere = Vous avez commencé dans un autre navigateur. Saisissez le mot de passe que vous y avez choisi.
confirm-not-you = Quelqu’un d’autre a commencé ceci ? Fermez la page, et rien ne se passe.
confirm-email-title = Confirmer votre nouvelle adresse
confirm-email-text = Votre compte aura l’adresse { $email }. C’est avec elle que vous vous connecterez ensuite.
confirm-email-button = Changer d’adresse
undo-email-title = Reprendre votre adresse
undo-email-text = Votre compte retrouve l’adresse { $email }. Toutes les sessions se terminent, et vous choisissez un nouveau mot de passe.
undo-email-button = La reprendre

## Nouveau mot de passe

recover-title = Choisir un nouveau mot de passe
recover-text = Donnez-nous votre adresse. Nous envoyons un lien qui permet de choisir un nouveau mot de passe.
recover-button = Envoyer le lien
recover-remembered = Il vous revient ?
recover-sign-in = Se connecter
new-password-title = Choisir un nouveau mot de passe
new-password-text = Pour { $email }. Toutes les sessions de votre compte se terminent alors.
new-password-button = Enregistrer
setup-title = Choisir votre premier mot de passe
setup-text = Pour { $email }. Vous pourrez ensuite vous connecter.
setup-button = Enregistrer

## Se déconnecter, attendre, fin

logout-title = Se déconnecter ?
logout-text = Les applications que vous avez ouvertes d’ici perdent aussi leur accès.
logout-button = Se déconnecter
logout-stay = Rester
logged-out-title = Vous êtes déconnecté
logged-out-text = Personne ne peut continuer dans ce navigateur sans se connecter.
logged-out-again = Se reconnecter
wait-title = Attendez un instant
wait-text = Il y a eu trop d’essais. Réessayez dans { $wait }.
wait-recover = Choisir un nouveau mot de passe
error-developer = Pour ceux qui gèrent ce service
error-request-id = Requête
error-account = Aller à votre compte
error-link-title = Ce lien ne peut pas servir
error-link-text = Il a déjà servi, il est trop ancien, ou il n’a pas été copié en entier. Demandez-en un autre là où vous avez demandé celui-ci.
error-taken-title = Cette adresse appartient à un autre compte
error-taken-text = Quelqu’un l’a confirmée pendant que le lien était en route. Votre compte garde l’adresse qu’il a.
error-member-title = Vous ne pouvez pas entrer là
error-member-text = Cette organisation ne vous a pas admis, ou ne vous admet plus. Votre compte ici n’en est pas changé. Adressez-vous à ceux qui gèrent l’application.
error-form-title = Nous n’étions pas sûrs que cela venait de vous
error-form-text = Pour vous protéger, rien n’a été modifié. Revenez en arrière, rechargez la page et envoyez de nouveau le formulaire. Les cookies doivent être acceptés.
error-expired-title = Ce formulaire est resté ouvert trop longtemps
error-expired-text = Rien n’a été modifié. Revenez en arrière, rechargez la page et envoyez de nouveau le formulaire.
error-failed-title = Cela n’a pas fonctionné
error-failed-text = La faute est de notre côté et elle est notée. Réessayez dans un instant.
error-unavailable-title = Nous ne pouvons pas répondre pour l’instant
error-unavailable-text = Une chose dont nous dépendons est hors d’atteinte. Rien n’est perdu ; réessayez dans un instant.
error-not-found-title = Il n’y a rien ici
error-not-found-text = L’adresse est peut-être incomplète, ou la page a changé de place.
error-request-title = Nous n’avons pas pu lire cela
error-request-text = Ce que votre navigateur a envoyé est incomplet ou abîmé. Revenez en arrière et réessayez.
error-method-title = Cette page ne s’atteint pas ainsi
error-method-text = C’est peut-être la fin d’une démarche commencée ailleurs. Recommencez-la là-bas.
error-large-title = C’était trop à la fois
error-large-text = Ce que votre navigateur a envoyé dépasse ce que nous acceptons ici. Envoyez-en moins.
error-elsewhere-title = Vous n’êtes pas là où vous vouliez aller
error-elsewhere-text = Nous ne répondons pas à cette adresse. La nôtre est { $address }.
error-elsewhere-button = Y aller
error-closed-title = Personne ne peut se connecter ici pour le moment
error-closed-text = L’organisation a fermé l’accès à cette application. Votre compte ici n’en est pas changé. Adressez-vous à qui gère l’application.
error-no-registration-title = Aucun compte n’est créé ici
error-no-registration-text = Qui a déjà un compte peut se connecter. Pour en obtenir un, adressez-vous à qui gère l’application.
error-no-registration-button = Se connecter

## Compte

nav-account = Compte
nav-profile = Profil
nav-password = Mot de passe
nav-email = Adresse e-mail
nav-sessions = Sessions
nav-deletion = Supprimer le compte
nav-sign-out = Se déconnecter
notice-saved = Votre profil est enregistré.
notice-password-changed = Votre mot de passe est changé. Toutes les autres sessions sont terminées.
notice-email-asked = Nous avons envoyé un lien à votre nouvelle adresse. Elle change dès que vous ouvrez le lien.
notice-email-changed = Votre adresse est changée.
notice-email-taken-back = Votre adresse est de nouveau l’ancienne. Choisissez un nouveau mot de passe si quelqu’un d’autre l’a changée.
notice-device-ended = La session sur { $device } est terminée.
notice-others-ended = { $n ->
    [one] Une autre session est terminée.
   *[other] { $n } autres sessions sont terminées.
  }
notice-deletion-begun = Votre compte sera effacé, et vous êtes déconnecté partout. Pour le garder, connectez-vous avant le jour indiqué dans notre message.
notice-kept = Votre compte reste.
profile-title = Votre profil
profile-text = Les applications n’en voient que ce que vous leur permettez. Chaque champ peut rester vide.
profile-names = Noms
profile-about = À propos de vous
profile-reach = Téléphone et adresse
profile-button = Enregistrer le profil
password-title = Changer le mot de passe
password-set-title = Choisir un mot de passe
password-text = Toutes les autres sessions se terminent alors, et nous vous prévenons par courriel.
email-title = Votre adresse e-mail
email-text = Elle sert à vous connecter, et nous y écrivons quand quelque chose change dans votre compte.
email-now = Votre adresse
email-verified = confirmée
email-unverified = non confirmée
email-pending = en attente
email-pending-text = Ouvrez le lien que nous y avons envoyé.
email-change = La changer
email-button = Envoyer le lien
sessions-title = Où vous êtes connecté
sessions-text = Une session terminée cesse d’être valable partout en deux secondes.
sessions-here = Ce navigateur
sessions-now = maintenant
sessions-since = depuis
sessions-seen = dernier passage
sessions-near = votre réseau actuel
sessions-elsewhere = Ailleurs
sessions-none = Vous n’êtes connecté nulle part ailleurs.
sessions-end = Terminer
sessions-end-others = Terminer toutes les autres
deletion-title = Supprimer votre compte
deletion-text = { $n ->
    [0] Votre compte est effacé aussitôt. Il n’y a pas de retour.
    [one] Vous avez { $n } jour pour changer d’avis : connectez-vous d’ici là, et il reste. Ensuite, il n’y a pas de retour.
   *[other] Vous avez { $n } jours pour changer d’avis : connectez-vous d’ici là, et il reste. Ensuite, il n’y a pas de retour.
  }
deletion-what = Ce qui se passe
deletion-sessions = Vous êtes aussitôt déconnecté partout.
deletion-erased = Profil, adresse, mot de passe et sessions sont effacés. Les applications ne vous trouvent plus.
deletion-kept = Le journal de sécurité garde ce qui s’est passé, sans votre nom ni votre adresse.
deletion-cancel = Garder le compte
deletion-button = Supprimer le compte
deleting-title = Votre compte sera effacé le { $date }
deleting-text = D’ici là, vous pouvez le garder tel qu’il était.
deleting-keep = Garder le compte

## Courrier retenu

catcher-title = Courrier retenu
catcher-text = Ce que ce serveur voulait envoyer. Rien n’a quitté cette machine.
catcher-none = Rien n’a encore été envoyé.
catcher-count = { $n ->
    [one] Un message
   *[other] { $n } messages
  }
catcher-back = Tous les messages
catcher-from = De
catcher-to = À
catcher-html = Comme la plupart le voient
catcher-plain = En texte seul
